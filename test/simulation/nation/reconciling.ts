import { createHash } from "node:crypto";
import { lanes, regionStream, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { asked } from "../engine/link.ts";
import { sleep, type Work } from "../engine/scheduler.ts";
import type { Lift } from "../../../services/centre/domain/lift.ts";
import type { LaneEntry } from "../../../services/centre/domain/reconcile.ts";
import { decodeEvent } from "./decoded.ts";
import type { CentreTables, OutboxRow } from "./tables.ts";
import { takeBack } from "./taking-back.ts";
import type { Region, World } from "./world.ts";

const askWaitMs = 1_000;
const refillWaitMs = 6_000;
const refillLookMs = 500;

/** What one lane holds of this centre, in every epoch that is kept. */
interface OwnMessage extends LaneEntry {
  readonly event: Event;
  /** The encoded event without its outbox number. */
  readonly rest: Uint8Array;
}

/** Brings outbox and lanes together (services/centre/recovery.ts); false: somebody did not answer. */
export function* reconcile(
  world: World,
  region: Region,
  epoch: number,
  numbers: Readonly<Record<Lane, number>>,
): Work<boolean> {
  const { scheduler, cores, truth } = world;
  const { centreToStore: toStore, centreToPostgres: toPostgres, postgres } = region;
  yield* awaitRefill(world, region, epoch);
  const read = () => ({
    urgent: ownMessages(region, "urgent", epoch),
    events: ownMessages(region, "events", epoch),
  });
  const messages = yield* asked(toStore, read, askWaitMs);
  if (messages === undefined) return false;
  const write = () =>
    postgres.database.commit((tables) => {
      let taken: OwnMessage[] = [];
      for (const lane of lanes) {
        const { back, sentAnew } = reconcileLane(cores, tables, lane, messages[lane], numbers[lane]);
        // Members of a batch come by the bulk lane, what is decided about the batch by the other.
        taken = [...back, ...taken];
        if (back.length + sentAnew > 0) {
          scheduler.note(region.centre.name, `${lane}: ${back.length} taken back, ${sentAnew} sent anew`);
          truth.reconciled += 1;
        }
      }
      takeBack(
        tables,
        region.name,
        taken.map(({ event }) => event),
      );
      return true;
    });
  return (yield* asked(toPostgres, write, askWaitMs)) === true;
}

/** A lane that ends before what was stored in it lost its end: replication may fill it up. */
function* awaitRefill({ scheduler }: World, region: Region, epoch: number): Work {
  const untilMs = scheduler.nowMs + refillWaitMs;
  const { centreToStore, centreToPostgres, store, postgres } = region;
  for (const lane of lanes) {
    const newest = yield* asked(
      centreToPostgres,
      () => ({ row: recorded(postgres.database.state.outbox[lane]).at(-1) }),
      askWaitMs,
    );
    const place = newest?.row?.place;
    if (place?.epoch !== epoch) continue;
    for (;;) {
      const last = yield* asked(
        centreToStore,
        () => store.streams.find(regionStream.lane(lane, epoch))?.last,
        askWaitMs,
      );
      if ((last ?? 0) >= place.sequence || scheduler.nowMs >= untilMs) break;
      yield sleep(scheduler, refillLookMs);
    }
  }
}

/** Rows that are known to be in the lane together with all rows before them. */
function recorded(rows: readonly OutboxRow[]): readonly OutboxRow[] {
  const open = rows.findIndex(({ place }) => place === undefined);
  return open < 0 ? rows : rows.slice(0, open);
}

function ownMessages({ store }: Region, lane: Lane, epoch: number): OwnMessage[] {
  const found: OwnMessage[] = [];
  for (let each = 1; each <= epoch; each += 1) {
    const stream = store.streams.find(regionStream.lane(lane, each));
    for (const { subject, sequence, data } of stream?.read(stream.first, Number.MAX_SAFE_INTEGER) ?? []) {
      if (!subject.startsWith("centre.") && !subject.startsWith("refeed.centre.")) continue;
      const event = decodeEvent(data);
      const rest = Event.encode({ ...event, outbox: 0 }).finish();
      found.push({ number: event.outbox, content: contentOf(rest), epoch: each, sequence, event, rest });
    }
  }
  return found;
}

/** The content of this centre's newest event in a lane; undefined: it has none. */
export function newestOwn(region: Region, lane: Lane, epoch: number): string | undefined {
  return ownMessages(region, lane, epoch).at(-1)?.content;
}

const contents = new WeakMap<Uint8Array, string>();

/** Names an encoded event without its number. */
export function contentOf(bytes: Uint8Array): string {
  const known = contents.get(bytes);
  if (known !== undefined) return known;
  const content = createHash("sha256").update(bytes).digest("hex");
  contents.set(bytes, content);
  return content;
}

function reconcileLane(
  cores: World["cores"],
  tables: CentreTables,
  lane: Lane,
  messages: readonly OwnMessage[],
  laneNumber: number,
): { back: OwnMessage[]; sentAnew: number } {
  const rows = tables.outbox[lane];
  const entries = rows.map(({ number, bytes }) => ({ number, content: contentOf(bytes) }));
  const {
    takeBack: taken,
    stored,
    waiting,
    counter,
  } = cores.planReconcile({
    ...{ agreed: 0, rows: entries, messages, laneNumber, counter: tables.counters[lane] },
  });
  const places = new Map(
    stored.map(({ number, message: { epoch, sequence } }) => [number, { epoch, sequence }]),
  );
  const moves = new Map(waiting.map(({ from, to }) => [from, to]));
  const sentAnew = waiting.filter(
    ({ from, to }) => from !== to || rows.some((row) => row.number === from && row.place !== undefined),
  );
  const kept = rows.map((row): OutboxRow => {
    const to = moves.get(row.number);
    return to === undefined
      ? { ...row, place: row.place ?? places.get(row.number) }
      : { ...row, number: to, place: undefined };
  });
  const back = taken.map(({ message, number }) => ({ message: message as OwnMessage, number }));
  const added = back.map(({ message, number }): OutboxRow => {
    const { epoch, sequence, event, rest } = message;
    return {
      number,
      type: event.body?.$case ?? "unknown",
      bytes: rest,
      place: { epoch, sequence },
    };
  });
  tables.outbox[lane] = [...kept, ...added].toSorted((left, right) => left.number - right.number);
  tables.counters[lane] = Math.max(tables.counters[lane], counter);
  if (back.length > 0)
    liftWaiting(
      cores,
      tables,
      lane,
      new Set(waiting.map(({ to }) => to)),
      back.map(({ message }) => message),
    );
  return { back: back.map(({ message }) => message), sentAnew: sentAnew.length };
}

/** Revisions that two histories gave to different things: what waits gets another (services/centre/store/reconcile.ts). */
function liftWaiting(
  { liftRevisions }: World["cores"],
  tables: CentreTables,
  lane: Lane,
  numbers: ReadonlySet<number>,
  taken: readonly OwnMessage[],
): void {
  const waiting = tables.outbox[lane].filter(({ number }) => numbers.has(number));
  const { events, lifts } = liftRevisions(
    waiting.map(({ bytes }) => decodeEvent(bytes).body),
    taken.map(({ event }) => event.body),
  );
  if (lifts.length === 0) return;
  const rewritten = new Map(
    waiting.map(({ number, bytes }, index) => {
      const event = { ...decodeEvent(bytes), outbox: 0, body: events[index] };
      return [number, Event.encode(event).finish()] as const;
    }),
  );
  tables.outbox[lane] = tables.outbox[lane].map((row) => ({
    ...row,
    bytes: rewritten.get(row.number) ?? row.bytes,
  }));
  for (const lift of lifts.toSorted((left, right) => right.from - left.from)) liftRow(tables, lift);
}

function liftRow(tables: CentreTables, { kind, subject, from, to, revokedBy }: Lift): void {
  switch (kind) {
    case "directive": {
      const row = tables.directives.get(subject);
      if (row?.opinion.revision !== from) return;
      const withdrawn = revokedBy === undefined ? {} : { revoked: true, revokedBy };
      tables.directives.set(subject, { ...row, opinion: { ...row.opinion, revision: to, ...withdrawn } });
      const approvals = tables.approvals.map((each) =>
        each.directive === subject && each.revision === from ? { ...each, revision: to } : each,
      );
      tables.approvals.splice(0, approvals.length, ...approvals);
      return;
    }
    case "trunk": {
      const trunk = tables.trunks.get(subject);
      if (trunk?.revision === from) tables.trunks.set(subject, { ...trunk, revision: to });
      return;
    }
    case "stop":
      for (const [carrier, stop] of tables.stops) {
        if (stop.revision === from) tables.stops.set(carrier, { ...stop, revision: to });
      }
      return;
    default:
      return kind satisfies never;
  }
}
