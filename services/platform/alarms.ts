import type { Alarm } from "#proto/qalqan/events/v1/sync.ts";
import { Wake } from "./lifecycle.ts";
import type { Log } from "./log.ts";

/** Alarms at once; more than the conditions that a service watches. */
const alarmsMax = 100;

/**
 * What a service wants somebody to look at, now. Each alarm is logged once when
 * it begins and once when it ends; who shows them is told by `changed`.
 */
export class Alarms {
  readonly #log: Log;
  readonly #alarms = new Map<string, Alarm>();
  /** Of those that end by themselves. */
  readonly #ends = new Map<string, NodeJS.Timeout>();
  /** Notified whenever the list changes. */
  readonly changed = new Wake();

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * @param code from the list in events.proto, `Alarm.code`
   * @param subject a stream, a lane, a file; never a number or a name
   * @param detail one sentence, with the command to run where a person must act
   * @param shownMs it ends by itself so long after it was raised last, where nobody clears what is over in a moment
   */
  raise(code: string, subject: string, detail: string, shownMs?: number): void {
    const key = `${code} ${subject}`;
    const known = this.#alarms.get(key);
    if (known === undefined && this.#alarms.size >= alarmsMax) return;
    clearTimeout(this.#ends.get(key));
    if (shownMs === undefined) this.#ends.delete(key);
    else this.#ends.set(key, setTimeout(() => this.clear(code, subject), shownMs).unref());
    if (known?.detail === detail) return;
    this.#alarms.set(key, { code, subject, detail, sinceMs: known?.sinceMs ?? Date.now() });
    this.#log.error({ event: "alarm", code, subject, why: detail }, "an alarm");
    this.changed.notify();
  }

  /** Ends an alarm; nothing happens when it is not there. */
  clear(code: string, subject: string): void {
    const key = `${code} ${subject}`;
    clearTimeout(this.#ends.get(key));
    this.#ends.delete(key);
    if (!this.#alarms.delete(key)) return;
    this.#log.info({ event: "alarm-over", code, subject }, "an alarm is over");
    this.changed.notify();
  }

  list(): Alarm[] {
    return [...this.#alarms.values()];
  }
}
