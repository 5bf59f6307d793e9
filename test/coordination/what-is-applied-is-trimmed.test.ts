import { afterAll, beforeAll, expect, test } from "vitest";
import { streamRange } from "#platform/batch-get.ts";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives, numberOf } from "./directives.ts";

const kept = 4;
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty"], {
    ...{ SNAPSHOT_ROWS_MIN: "10", SNAPSHOT_MESSAGES_MIN: "10" },
    ...{ TRIM_EVERY_MS: "200", KEPT_MESSAGES: String(kept), KEPT_HOURS: "0" },
  });
});
afterAll(async () => {
  await capital.stop();
});

const range = (stream: string) => streamRange(capital.nats, `$JS.API.STREAM.INFO.${stream}`);
const urgent = hubStream.up("urgent", "astana", firstEpoch);
const national = hubStream.national(firstEpoch);

test("lanes, NATIONAL, SNAPSHOT, FOR and the logs behind them keep only what somebody may need", async () => {
  for (let index = 1; index <= 60; index += 1)
    await capital.send("astana", "urgent", directives(directiveOf("astana", index)));
  await until(async () => {
    const { first, last } = await range(urgent);
    return last === 60 && first === last - kept + 1;
  });
  // NATIONAL goes on from the last snapshot but one: with the second one, the first of it goes.
  let index = 60;
  await until(async () => {
    index += 1;
    await capital.send("astana", "urgent", directives(directiveOf("astana", index)));
    return (await range(national)).first > 1;
  });
  const { first } = await range(national);
  await until(async () => {
    const [row] = await capital.query<{ least: number }>(
      "select min(sequence)::int as least from national_log",
    );
    return (row?.least ?? 0) >= first;
  });
  const snapshots = await range(hubStream.snapshot(firstEpoch));
  expect(snapshots.last).toBeGreaterThan(snapshots.first);

  // FOR stays whole until its region says what it has.
  const forRegion = hubStream.forRegion("astana", firstEpoch);
  await until(async () => (await range(forRegion)).last > kept + 2);
  expect((await range(forRegion)).first).toBe(1);
  const { last } = await range(forRegion);
  const report = { stream: "FOR", epoch: firstEpoch, state: "copying", first: 1, last };
  const streams = [{ ...report, hubLast: last, bytes: 1, bytesMax: 2 }];
  const of = { region: "astana", regionEpoch: firstEpoch, atMs: 1, release: "test" };
  const value = { ...of, streams, numbers: [], nationalSeal: undefined };
  await capital.send("astana", "events", { $case: "heartbeat", value });
  await until(async () => (await range(forRegion)).first > 1);
  expect((await range(forRegion)).first).toBeLessThanOrEqual(last - kept + 1 + 60);
});

test("a capital that starts again on trimmed streams and logs goes on where it was", async () => {
  await capital.coordination.killAndRestart();
  await capital.ready();
  const { last } = await range(national);
  await capital.send("almaty", "urgent", directives(directiveOf("almaty", 5_000)));
  const targets = async () =>
    (await capital.query<{ target: string }>("select target from folded")).map(({ target }) => target);
  await until(async () => (await targets()).includes(numberOf(5_000)));
  await until(async () => (await range(national)).last > last);
});
