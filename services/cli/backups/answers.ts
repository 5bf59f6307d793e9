import type { GlobalOptions } from "../options.ts";
import { note } from "../output.ts";
import type { Rebuilt } from "./rebuild.ts";
import type { Restored } from "./restore-database.ts";

/** A segment is replayed in milliseconds: a line each is progress enough. */
export function noteSegment(options: GlobalOptions, segment: string): void {
  if (options.json !== true && process.stderr.isTTY) note(`replayed ${segment}`);
}

/** As `--json` gives it. */
export function documentOf({ label, lastCommit, timeline, segments, setAside }: Restored) {
  return {
    backup: label,
    lastCommit: lastCommit?.toISOString() ?? null,
    timeline,
    segments,
    setAside: setAside ?? null,
  };
}

export function shownRestored(site: string, restored: Restored): string[] {
  const { label, lastCommit, timeline, segments, setAside } = restored;
  const after = lastCommit === undefined ? "nothing after it" : `up to ${lastCommit.toISOString()}`;
  return [
    `${site}: base backup ${label}, ${segments} WAL segments, ${after} (timeline ${timeline})`,
    ...(setAside === undefined ? [] : [`what was there before is in ${setAside}`]),
  ];
}

/** As `--json` gives it. */
export function rebuiltDocument({ restored, setAside }: Rebuilt) {
  if (restored === undefined) return { backup: null, setAside: setAside ?? null };
  return documentOf(restored);
}

export function shownRebuilt(
  site: string,
  { restored, setAside }: Rebuilt,
  runsMs: number,
  inSyncMs: number | null,
): string[] {
  const empty = [
    `${site}: begins with an empty database`,
    ...(setAside === undefined ? [] : [`what was there before is in ${setAside}`]),
  ];
  return [
    ...(restored === undefined ? empty : shownRestored(site, restored)),
    inSyncMs === null
      ? `made anew after ${runsMs} ms; the rest comes back at the next start`
      : `running again after ${runsMs} ms, in sync after ${inSyncMs} ms`,
  ];
}
