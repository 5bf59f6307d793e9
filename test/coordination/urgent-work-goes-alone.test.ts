import { afterAll, beforeAll, expect, test } from "vitest";
import { appendAt } from "#platform/append.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { firstEpoch, hubStream, hubSubject, type Lane } from "#proto/names.ts";
import { Event, Receipt } from "#proto/qalqan/events/v1/events.ts";
import { HubAndRegion, lastOf, testLog, until } from "#test/replication/servers.ts";
import { Lanes } from "../../services/coordination/consumers/lanes.ts";
import { directiveOf, directives } from "./directives.ts";

/** More than one step takes, and than what a lane's message may have without being bulk. */
const bulkRows = 600;

let nation: HubAndRegion;
let coordination: NatsConnection;
let line: NatsConnection;
const reading = new AbortController();

beforeAll(async () => {
  nation = await HubAndRegion.start();
  coordination = await nation.connect("coordination");
  await nation.createHubStreams(coordination);
  line = await nation.connect("line");
});

afterAll(async () => {
  reading.abort();
  await nation.stop();
});

/** As replication: over the line, tried until that is there. */
async function send(lane: Lane, sequence: number, body: NonNullable<Event["body"]>): Promise<void> {
  const subject = hubSubject.up(lane, nation.region, firstEpoch, `centre.${body.$case}`);
  const bytes = Event.encode({ outbox: sequence, atMs: 1, body }).finish();
  const stream = hubStream.up(lane, nation.region, firstEpoch);
  await until(async () => {
    await appendAt(line, subject, sequence, bytes).catch(() => undefined);
    return (await lastOf(coordination, stream)) === sequence;
  });
}

test("a step for urgent work has nothing else in it, and bulk waits until it may go on", async () => {
  const { region } = nation;
  const lanes = new Lanes(
    coordination,
    testLog,
    () => undefined,
    () => undefined,
  );
  const heard: string[] = [];
  for (const lane of ["urgent", "events"] as const) {
    const read = {
      region,
      lane,
      epoch: firstEpoch,
      after: { sequence: 0, leaf: undefined },
      heard: () => void heard.push(lane),
    };
    lanes.read(read, reading.signal).catch(() => undefined);
  }
  const members = Array.from({ length: bulkRows }, (_, index) => directiveOf(region, index));
  const receipt = {
    $case: "receipt" as const,
    value: Receipt.fromPartial({ region, replica: "screening-0" }),
  };
  await send("events", 1, receipt);
  await send("events", 2, directives(...members));
  await send("events", 3, receipt);
  await send("urgent", 1, directives(directiveOf(region, bulkRows)));
  await until(async () => heard.length === 4);

  const takenAs = (withEvents: boolean, withBulk: boolean) =>
    lanes.take(withEvents, withBulk).map(({ event, rows }) => `${event?.body?.$case ?? ""} ${rows}`);
  expect(lanes.hasUrgent).toBe(true);
  expect(takenAs(false, false)).toEqual(["directives 1"]);
  expect(lanes.hasUrgent).toBe(false);
  expect(takenAs(true, false)).toEqual(["receipt 1"]);
  // The pace holds bulk back, and what stands behind it in its lane.
  expect(takenAs(true, false)).toEqual([]);
  expect(lanes.eventsDueInMs).toBeDefined();
  // It is more than a step takes, so it goes alone.
  expect(takenAs(true, true)).toEqual([`directives ${bulkRows}`]);
  await until(async () => lanes.eventsDueInMs === 0);
  expect(takenAs(true, true)).toEqual(["receipt 1"]);
  expect(lanes.eventsDueInMs).toBeUndefined();
});
