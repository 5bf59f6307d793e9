import type { Nation } from "../feed/nation.ts";

/** Calls whose called person's region nobody told: counted for the nation, for no region. */
export function unattributedOf({ lastHour, regions }: Nation): {
  calls: number;
  intercepted: number;
  forged: number;
} {
  const rest = (kind: "calls" | "intercepted" | "forged") =>
    Math.max(0, lastHour[kind] - regions.reduce((sum, region) => sum + region[kind], 0));
  return { calls: rest("calls"), intercepted: rest("intercepted"), forged: rest("forged") };
}
