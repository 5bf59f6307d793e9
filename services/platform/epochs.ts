import { firstEpoch, lanes, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { Event, type RegionHeartbeat } from "#proto/qalqan/events/v1/events.ts";
import type { EpochOpened, ProducerMark } from "#proto/qalqan/events/v1/sync.ts";
import { lastOfSubject, streamRange } from "./batch-get.ts";
import { pause, Wake } from "./lifecycle.ts";
import { onDisconnect, type NatsConnection } from "./nats.ts";

/** How often it is looked whether another epoch was opened (ms). */
const lookEveryMs = 2_000;
/** So soon it is looked again after the server did not answer (ms). */
const retryWaitMs = 200;

/** The name of the stream of a lane, with its epoch. */
const laneName = /^(EVENTS|URGENT)_([1-9]\d{0,5})$/;

/** What replication wrote as it opened an epoch of a lane, and where. */
export interface OpenedLane {
  readonly sequence: number;
  /** The number that replication gave it. */
  readonly outbox: number;
  readonly opened: EpochOpened;
}

/** Undefined: that lane has not been opened, has no such stream, or its beginning was trimmed. */
export async function openingOf(
  connection: NatsConnection,
  lane: Lane,
  epoch: number,
): Promise<OpenedLane | undefined> {
  const subject = regionSubject.lane(lane, epoch, "replication", "epochOpened");
  const found = await lastOfSubject(connection, streamAsk.get(regionStream.lane(lane, epoch)), subject);
  if (found === undefined) return undefined;
  const { outbox, body } = Event.decode(found.data);
  if (body?.$case !== "epochOpened") throw new Error(`${subject} holds ${body?.$case ?? "no event"}`);
  return { sequence: found.sequence, outbox, opened: body.value };
}

/** What replication told last of the numbers of a lane's producers; whoever was trimmed since is among them. */
export async function numbersTold(
  connection: NatsConnection,
  lane: Lane,
  epoch: number,
): Promise<readonly ProducerMark[]> {
  const subject = regionSubject.lane("events", epoch, "replication", "heartbeat");
  const stream = streamAsk.get(regionStream.lane("events", epoch));
  const found = await lastOfSubject(connection, stream, subject);
  const { body } = found === undefined ? {} : Event.decode(found.data);
  return body?.$case === "heartbeat" ? numbersOf(body.value, lane) : [];
}

/** What a heartbeat tells of one lane. */
export function numbersOf({ numbers }: RegionHeartbeat, lane: Lane): readonly ProducerMark[] {
  return numbers.filter((each) => each.lane === lane).flatMap(({ producers }) => producers);
}

/** Epochs of which the region's JetStream has a lane, the highest first, and which lanes those are. */
export async function epochsOfLanes(
  connection: NatsConnection,
): Promise<{ readonly epoch: number; readonly lanes: readonly Lane[] }[]> {
  const manager = await connection.jetstreamManager({ checkAPI: false });
  const found = new Map<number, Lane[]>();
  for await (const name of manager.streams.names()) {
    const [, kind, number] = laneName.exec(name) ?? [];
    if (number === undefined) continue;
    const epoch = Number(number);
    found.set(epoch, [...(found.get(epoch) ?? []), kind === "EVENTS" ? "events" : "urgent"]);
  }
  return [...found]
    .map(([epoch, present]) => ({ epoch, lanes: present }))
    .toSorted((left, right) => right.epoch - left.epoch);
}

/**
 * The epoch in which a region's producers write now: the highest of which both
 * lanes are opened; the first one needs no opening.
 *
 * @throws when the region's server does not answer
 */
export async function openedEpoch(connection: NatsConnection): Promise<number> {
  for (const { epoch, lanes: present } of await epochsOfLanes(connection)) {
    if (epoch <= firstEpoch || present.length < lanes.length) continue;
    const opened = await Promise.all(lanes.map((lane) => isOpened(connection, lane, epoch)));
    if (opened.every(Boolean)) return epoch;
  }
  return firstEpoch;
}

/** Only what was opened is ever trimmed, so a lane whose beginning is gone was opened. */
async function isOpened(connection: NatsConnection, lane: Lane, epoch: number): Promise<boolean> {
  if ((await openingOf(connection, lane, epoch)) !== undefined) return true;
  return (await streamRange(connection, streamAsk.info(regionStream.lane(lane, epoch)))).first > 1;
}

/**
 * The region's epoch, and each other one as it is opened, until the signal.
 * After a store came back from a backup it may be a lower one for a while.
 */
export async function* watchOpenedEpoch(
  connection: NatsConnection,
  signal: AbortSignal,
): AsyncGenerator<number> {
  const wake = new Wake();
  const forget = onDisconnect(connection, () => wake.notify());
  let known = 0;
  try {
    while (!signal.aborted) {
      try {
        const epoch = await openedEpoch(connection);
        if (epoch !== known) yield epoch;
        known = epoch;
        await wake.wait(lookEveryMs, signal);
      } catch (error) {
        if (connection.isClosed()) throw error;
        await pause(retryWaitMs, signal);
      }
    }
  } finally {
    forget();
  }
}
