import { lastOfEachSubject, streamRange } from "#platform/batch-get.ts";
import { numbersOf } from "#platform/epochs.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { lanes, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import type { LaneNumbers, ProducerMark } from "#proto/qalqan/events/v1/sync.ts";
import { producerMarks, type NumberedMessage } from "./domain/epoch.ts";

/** A message's own number, and those that an opening or a heartbeat tells of the lane. */
export function numbersIn(lane: Lane, rest: string, data: Uint8Array): NumberedMessage[] {
  const { outbox, body } = Event.decode(data);
  let told: readonly ProducerMark[] = [];
  if (body?.$case === "epochOpened") told = body.value.producers;
  if (body?.$case === "heartbeat") told = numbersOf(body.value, lane);
  return [
    { rest, outbox },
    ...told.map(({ producer, outbox: of }) => ({ rest: `${producer}.`, outbox: of })),
  ];
}

/** What the lanes of an epoch held, and up to which message of each that is known. */
export interface NumbersRead {
  readonly numbers: readonly LaneNumbers[];
  readonly upTo: Readonly<Record<Lane, number>>;
}

/**
 * The numbers of the producers of both lanes, so that whoever is quiet for
 * longer than its messages are kept goes on after its own.
 *
 * @throws when the region's server does not answer
 */
export async function readNumbers(region: NatsConnection, epoch: number): Promise<NumbersRead> {
  const upTo = { urgent: 0, events: 0 };
  const numbered: Record<Lane, NumberedMessage[]> = { urgent: [], events: [] };
  for (const lane of lanes) {
    const stream = regionStream.lane(lane, epoch);
    const all = regionSubject.laneAll(lane, epoch);
    upTo[lane] = (await streamRange(region, streamAsk.info(stream))).last;
    if (upTo[lane] === 0) continue;
    for (const { subject, data } of await lastOfEachSubject(region, streamAsk.get(stream), all)) {
      // A heartbeat tells of both lanes; it stands in one.
      for (const each of lanes) {
        const [own, ...told] = numbersIn(each, subject.slice(all.length - 1), data);
        if (each === lane && own !== undefined) numbered[each].push(own);
        numbered[each].push(...told);
      }
    }
  }
  const numbers = lanes.map((lane): LaneNumbers => {
    const marks = producerMarks(numbered[lane], new Map());
    return { lane, producers: [...marks].map(([producer, outbox]) => ({ producer, outbox })) };
  });
  return { numbers, upTo };
}
