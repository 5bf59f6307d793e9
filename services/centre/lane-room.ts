import { Refusal } from "#domain/refusal.ts";
import type { Alarms } from "#platform/alarms.ts";
import { streamRange } from "#platform/batch-get.ts";
import { sql } from "#platform/database.ts";
import { pause } from "#platform/lifecycle.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { lanes, regionStream, streamAsk, type Lane } from "#proto/names.ts";
import { roomLookMs } from "./config.ts";
import { hasRoom, shareTaken, shareWith, type LaneUsage, type Weight } from "./domain/room.ts";
import type { Outgoing } from "./store/outbox.ts";
import type { CentreDatabase } from "./store/schema.ts";

const askWaitMs = 2_000;

/** The room that each lane has, looked at now and then, and counted on between two looks. */
export class LaneRoom {
  readonly #database: CentreDatabase;
  readonly #alarms: Alarms;
  readonly #waitingMax: number;
  #usage: Readonly<Record<Lane, LaneUsage>>;

  /** @param waitingMax of a lane, accepted and not in its stream yet (bytes) */
  constructor(database: CentreDatabase, alarms: Alarms, waitingMax: number) {
    this.#database = database;
    this.#alarms = alarms;
    this.#waitingMax = waitingMax;
    // Until a stream has told its size it counts as without one: what waits is counted all the same.
    const unknown = { stored: 0, storedMax: Number.POSITIVE_INFINITY, waiting: 0, waitingMax };
    this.#usage = { urgent: unknown, events: unknown };
  }

  /**
   * Call it before anything of these events is written.
   *
   * @throws Refusal `exhausted` when a lane has no room for one of them
   */
  require(events: readonly Outgoing[]): void {
    for (const lane of lanes) {
      let bytes = 0;
      for (const event of events.filter((each) => each.lane === lane)) {
        bytes += event.bytes.length;
        this.requireFor(lane, event.weight, bytes);
      }
    }
  }

  /** @throws Refusal `exhausted` when the lane takes nothing of this weight now */
  requireFor(lane: Lane, weight: Weight, bytes = 0): void {
    const usage = this.#usage[lane];
    if (hasRoom(usage, weight, bytes)) return;
    const percent = Math.min(100, Math.floor(shareWith(usage, 0) * 100));
    const isLine = usage.waiting / usage.waitingMax > usage.stored / usage.storedMax;
    throw new Refusal({
      code: "exhausted",
      field: "",
      value: "",
      message: `the region's ${lane} lane is ${percent} % full and takes no more of this; nothing was written`,
      remedy: isLine
        ? "withdrawals and stop switches are still taken; the region's NATS must take what waits: look at `npx qalqan status`, then repeat the same request"
        : "withdrawals and stop switches are still taken; the lane is emptied once the capital has what is in it: mend the line (`npx qalqan status` shows it), then repeat the same request",
    });
  }

  /** These events were accepted. */
  took(events: readonly Outgoing[]): void {
    const add = (lane: Lane): LaneUsage => {
      const bytes = events.filter((each) => each.lane === lane).map((each) => each.bytes.length);
      const usage = this.#usage[lane];
      return { ...usage, waiting: usage.waiting + bytes.reduce((sum, each) => sum + each, 0) };
    };
    this.#usage = { urgent: add("urgent"), events: add("events") };
  }

  /** Looks at both lanes until the signal. */
  async watch(connection: NatsConnection, epoch: number, signal: AbortSignal): Promise<void> {
    do {
      for (const lane of lanes) {
        const info = streamAsk.info(regionStream.lane(lane, epoch));
        const { bytes, bytesMax } = await streamRange(connection, info, askWaitMs);
        const waiting = await this.#readWaiting(lane);
        const storedMax = bytesMax > 0 ? bytesMax : Number.POSITIVE_INFINITY;
        const usage = { stored: bytes, storedMax, waiting, waitingMax: this.#waitingMax };
        this.#usage = { ...this.#usage, [lane]: usage };
        this.#tell(lane, usage);
      }
    } while (await pause(roomLookMs, signal));
  }

  async #readWaiting(lane: Lane): Promise<number> {
    const { rows } = await sql<{ bytes: number }>`
      select coalesce(sum(octet_length(bytes)), 0)::bigint as bytes from outbox
      where lane = ${lane} and sequence is null`.execute(this.#database);
    return rows[0]?.bytes ?? 0;
  }

  #tell(lane: Lane, usage: LaneUsage): void {
    const share = shareWith(usage, 0);
    if (share < shareTaken.bulk) return this.#alarms.clear("lane-refuses", lane);
    const left = share < shareTaken.single ? "imports and intelligence" : "all but withdrawals and stops";
    this.#alarms.raise(
      "lane-refuses",
      lane,
      `the lane is full to ${Math.floor(share * 10) * 10} % or more: ${left} are refused until it is emptied`,
    );
  }
}
