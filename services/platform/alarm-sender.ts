import type { Event } from "#proto/qalqan/events/v1/events.ts";
import type { Alarms } from "./alarms.ts";

/** A list that is not empty is said again this often: the capital keeps alarms in memory alone (ms). */
const againMs = 30_000;

/** Whose alarms they are. */
export interface AlarmSource {
  readonly region: string;
  /** Name of the service. */
  readonly source: string;
}

/**
 * Says a service's alarms, the whole list each time: when it changes, and again
 * every 30 s while it is not empty. Runs until the signal.
 *
 * @param append stores an event in EVENTS, however long that takes
 */
export async function sendAlarms(
  alarms: Alarms,
  { region, source }: AlarmSource,
  append: (event: Omit<Event, "outbox">) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  // What an earlier process of this service said ends with this one's first list.
  let isDue = true;
  while (!signal.aborted) {
    if (isDue) {
      const atMs = Date.now();
      const value = { region, source, alarms: alarms.list(), atMs };
      await append({ atMs, body: { $case: "alarms", value } });
    }
    isDue = (await alarms.changed.wait(againMs, signal)) || alarms.list().length > 0;
  }
}
