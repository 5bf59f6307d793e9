import { afterAll, beforeAll, expect, test } from "vitest";
import { appendAt } from "#platform/append.ts";
import { call } from "#platform/grpc-client.ts";
import { firstEpoch, hubStream, hubSubject } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { lastOf } from "#test/replication/servers.ts";
import { otherLane } from "../../services/coordination/domain/lane-end.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";
import { keepHub, restoreHub } from "./hub-copies.ts";

const region = "astana";
const stream = hubStream.up("urgent", region, firstEpoch);
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start([region]);
});
afterAll(async () => {
  await capital.stop();
});

/** The region says directives with these numbers, after whatever the hub has of its lane. */
async function say(...numbers: number[]): Promise<void> {
  for (const number of numbers) {
    await until(async () => {
      const next = (await lastOf(capital.nats, stream)) + 1;
      const body = directives(directiveOf(region, number));
      const bytes = Event.encode({ outbox: next, atMs: Date.now(), body }).finish();
      await appendAt(
        capital.nats,
        hubSubject.up("urgent", region, firstEpoch, `centre.${body.$case}`),
        next,
        bytes,
      );
      return true;
    });
  }
}

const untilDecided = (...numbers: number[]): Promise<void> =>
  until(async () => {
    const { batches } = await capital.national();
    const decided = batches.flatMap(({ decisions }) => decisions.map(({ directive }) => directive));
    return numbers.every((number) => decided.includes(directiveOf(region, number).id));
  });

async function alarms() {
  const metadata = await capital.token("central-prosecutor");
  const status = await call(capital.client.getStatus.bind(capital.client), {}, { metadata });
  return status.alarms;
}

test("what a region writes below the watermark, after hub and region came back older together, is read", async () => {
  await say(1);
  await untilDecided(1);
  await keepHub(capital, "older");
  await say(2, 3, 4);
  await untilDecided(2, 3, 4);
  // While the capital runs, and the lane is still shorter than what was read.
  await restoreHub(capital, "older");
  await until(() => capital.log().includes("hub-behind"));
  await say(12);
  await untilDecided(12);
  expect(await alarms()).toMatchObject([{ code: "lane-read-again", subject: stream }]);
});

test("so is what stands in the place of what was read, before a capital that was away and while it runs", async () => {
  await keepHub(capital, "short");
  await say(21, 22, 23);
  await untilDecided(21, 22, 23);
  await keepHub(capital, "read");
  await capital.coordination.stop("SIGKILL");
  await restoreHub(capital, "short");
  await say(31, 32, 33, 34);
  await keepHub(capital, "replaced");
  capital.coordination.start();
  await untilDecided(31, 32, 33, 34);
  expect(capital.log()).toContain("lane-replaced");

  // The same again without a start, and beyond what was read: only the loss of the hub is seen.
  await capital.coordination.stop("SIGKILL");
  await restoreHub(capital, "short");
  await say(41, 42, 43, 44, 45, 46);
  await keepHub(capital, "another");
  await restoreHub(capital, "replaced");
  capital.coordination.start();
  await capital.ready();
  await restoreHub(capital, "another");
  await untilDecided(41, 42, 43, 44, 45, 46);
});

test("a capital that was put back waits for what stands there now before it folds", async () => {
  await keepHub(capital, "before");
  await say(51, 52);
  await untilDecided(51, 52);
  await capital.coordination.stop("SIGKILL");
  // As it notes where it takes NATIONAL back: up to here the lane was read, says the older database.
  await capital.query("update inbox set read_to = sequence where lane = 'urgent' and epoch = 1");
  await restoreHub(capital, "before");
  capital.coordination.start();
  await say(61);
  const isIn = (table: string, number: number) => async () => {
    const { id } = directiveOf(region, number);
    return (await capital.query(`select from ${table} where directive = '${id}'`)).length > 0;
  };
  await until(isIn("opinion", 61));
  expect(await isIn("decision", 61)()).toBe(false);
  await say(62);
  await untilDecided(61, 62);
});

test("a lane is the one that was read while the hub has that message, or does not keep it any more", () => {
  const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
  expect(otherLane({ sequence: 0, leaf: undefined }, { last: 0, leaf: undefined })).toBeUndefined();
  expect(otherLane({ sequence: 5, leaf: one }, { last: 4, leaf: undefined })).toBe("shorter");
  expect(otherLane({ sequence: 5, leaf: one }, { last: 5, leaf: one })).toBeUndefined();
  expect(otherLane({ sequence: 5, leaf: one }, { last: 9, leaf: two })).toBe("replaced");
  expect(otherLane({ sequence: 5, leaf: one }, { last: 9, leaf: undefined })).toBeUndefined();
});
