import type { Region } from "../feed/nation.ts";
import type { Texts } from "../texts/en.ts";
import type { Format } from "../view/format.ts";

/**
 * When a region was last heard: "4 s ago", or "never".
 *
 * @param ageMs since the capital said so
 */
export function heardText({ stalenessMs }: Region, ageMs: number, texts: Texts, format: Format): string {
  if (stalenessMs === null) return texts.never;
  // Whole seconds: a heartbeat comes every 5 s, and parts of one mean nothing.
  return texts.ago(format.duration(Math.max(1_000, stalenessMs + ageMs)));
}
