import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Alarms } from "#platform/alarms.ts";
import { appendAt } from "#platform/append.ts";
import { openDatabase, sql, type Kysely } from "#platform/database.ts";
import { Lifecycle, untilAborted } from "#platform/lifecycle.ts";
import { leafHash } from "#domain/merkle.ts";
import { firstEpoch, hubStream, hubSubject, streamAsk } from "#proto/names.ts";
import { lastOf, readAll, testLog } from "#test/replication/servers.ts";
import type { Lanes, LaneToRead } from "../../services/coordination/consumers/lanes.ts";
import type { ReadUpTo } from "../../services/coordination/domain/lane-end.ts";
import { RegionReaders } from "../../services/coordination/region-epochs.ts";
import { Lead } from "../../services/coordination/store/lead.ts";
import { migrations } from "../../services/coordination/store/migrations.ts";
import { enrolEpochs } from "../../services/coordination/store/regions.ts";
import { loadState } from "../../services/coordination/store/start.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { keepHub, restoreHub } from "./hub-copies.ts";

const region = "astana";
const stream = hubStream.up("urgent", region, firstEpoch);
let capital: CapitalUnderTest;
let database: Kysely<unknown>;
const lifecycle = new Lifecycle(testLog);
beforeAll(async () => {
  capital = await CapitalUnderTest.start([region]);
  await capital.coordination.stop("SIGTERM");
  database = await openDatabase<unknown>(capital.database, migrations, testLog, lifecycle.signal);
});
afterAll(async () => {
  await lifecycle.stop();
  await database.destroy();
  await capital.stop();
});

/** Stores messages at the end of the lane, once the hub answers. */
async function say(...texts: string[]): Promise<void> {
  for (const text of texts) {
    await until(async () => {
      const next = (await lastOf(capital.nats, stream)) + 1;
      const subject = hubSubject.up("urgent", region, firstEpoch, "centre.event");
      await appendAt(capital.nats, subject, next, Buffer.from(text));
      return true;
    });
  }
}

const leafOf = (text: string) => leafHash(Buffer.from(text));

/** Reads nothing by itself: it notes from where it was to read, and has read up to the third message when it ends. */
class NotedLanes implements Pick<Lanes, "read" | "forget"> {
  readonly froms: number[] = [];

  async read({ lane, epoch, after }: LaneToRead, signal: AbortSignal): Promise<ReadUpTo> {
    const isNoted = lane === "urgent" && epoch === firstEpoch;
    // Whoever was ended before it began reads nothing.
    if (signal.aborted) return after;
    if (isNoted) this.froms.push(after.sequence);
    await untilAborted(signal);
    return isNoted && this.froms.length === 1 ? { sequence: 3, leaf: leafOf("third") } : after;
  }

  forget(): void {
    // Nothing waits here.
  }
}

test("a lane of another history is not read on, though the hub came back while it was compared with the former one", async () => {
  await until(async () => (await lastOf(capital.nats, stream)) >= 0);
  await say("first");
  await keepHub(capital, "older");
  await say("second", "third");
  await keepHub(capital, "read");
  await restoreHub(capital, "older");
  await say("another second", "another third", "fourth");
  await keepHub(capital, "another");
  await restoreHub(capital, "read");
  await until(async () => (await readAll(capital.nats, stream)).length === 3);

  // As the leader of before it left: the first is taken in for good, the others are still on their way.
  await enrolEpochs(database, region, [firstEpoch]);
  await sql`
    update inbox set sequence = 1, leaf = ${leafOf("first")}
    where region = ${region} and lane = 'urgent' and epoch = ${firstEpoch}`.execute(database);

  let comesBackAsAnother = false;
  /** The third message is told by the hub of before; by the time the answer is there, another hub is. */
  const connection = capital.nats;
  const request = connection.request.bind(connection);
  vi.spyOn(connection, "request").mockImplementation(async (subject, payload, options) => {
    const found = await request(subject, payload, options);
    if (comesBackAsAnother && subject === streamAsk.get(stream) && payload === '{"seq":3}') {
      comesBackAsAnother = false;
      await restoreHub(capital, "another");
      await until(async () => (await readAll(connection, stream)).length === 4);
    }
    return found;
  });

  const lanes = new NotedLanes();
  const lead = await Lead.take(database);
  const readers = new RegionReaders({
    ...{ database, lead, connection, lifecycle, log: testLog, alarms: new Alarms(testLog), replicas: 1 },
    ...{ lanes: lanes as unknown as Lanes, state: await loadState(database), settle: async () => undefined },
  });
  await readers.prepare([region]);
  lifecycle.run("watch", (signal) => readers.watch(signal));
  await readers.read(region);
  await until(() => lanes.froms.length > 0);

  comesBackAsAnother = true;
  await capital.hub.killAndRestart();
  await until(() => lanes.froms.length > 1);
  // After what both histories have, each time.
  expect(new Set(lanes.froms)).toEqual(new Set([1]));
});
