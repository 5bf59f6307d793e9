import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { waitsFor, type Start } from "../../services/screening/domain/start.ts";
import { entry, ScreenedRegion } from "./screening-service.ts";

/** The first start of a new region: its copy of NATIONAL is empty because nobody has filled it. */
let region: ScreenedRegion;
const fraudster = "+442079460111";

beforeAll(async () => {
  region = await ScreenedRegion.start();
  await region.replication.stop("SIGTERM");
  region.screening.start();
});

afterAll(() => region.stop());

test("without a word of the capital it lets calls go on, is not ready, and says why", async () => {
  await until(async () => (await region.readiness()).why.includes("the capital's first word"));
  const { ready, why } = await region.readiness();
  expect(ready).toBe(false);
  expect(why).toContain("the capital's first word: this region has no national table yet");
  expect(await region.screen({ callingNumber: fraudster })).toMatchObject({ verdict: "allow" });
});

test("an unready replica leaves no file that would make its next start look whole", async () => {
  expect(await region.screening.stop("SIGTERM")).toBe(0);
  region.screening.start();
  await until(async () => (await region.readiness()).why.includes("the capital's first word"));
});

test("it is ready, and says so in receipts, once it has the table that the capital spoke of", async () => {
  await until(async () => {
    region.heartbeat(2);
    return (await region.readiness()).why.includes("waiting for NATIONAL 0 of 2");
  });
  await region.publish({ rows: [entry("+442079460222", "block", "almaty-2")] });
  await region.untilApplied(1);
  expect((await region.readiness()).why).toContain("waiting for NATIONAL 1 of 2");
  await region.publish({ rows: [entry(fraudster, "block", "almaty-1")] });
  await until(async () => (await region.readiness()).ready);
  expect((await region.screen({ callingNumber: fraudster })).verdict).toBe("block");
  await until(async () => (await region.written()).receipts.at(-1)?.ready === true);
  const tooEarly = (await region.written()).receipts.filter(
    ({ ready, nationalSequence }) => ready && nationalSequence < 2,
  );
  expect(tooEarly).toEqual([]);
});

describe("what a replica waits for", () => {
  const nothing = { national: 0, events: 0, urgent: 0 };
  const start: Start = {
    ...{ hasOverlay: true, ends: nothing, reached: nothing, hasOwnTable: false },
    ...{ capital: undefined, isCapitalSilent: false },
  };
  const some = { national: 7, events: 3, urgent: 2 };
  const cases: readonly [string, Partial<Start>, RegExp][] = [
    ["an empty table, whose capital says that NATIONAL is empty", { capital: 0 }, /^$/],
    ["an empty table while the capital is silent", { isCapitalSilent: true }, /the capital's first word/],
    ["a copy that holds something, before the capital had its time", { ends: some, reached: some }, /word/],
    ["the same when the capital is silent", { ends: some, reached: some, isCapitalSilent: true }, /^$/],
    ["a copy that is half full", { ends: some, reached: some, capital: 9 }, /NATIONAL 7 of 9/],
    [
      "an own file, however far the capital is",
      { ends: some, reached: some, hasOwnTable: true, capital: 9 },
      /^$/,
    ],
    ["an own file that is behind the copy", { ends: some, hasOwnTable: true }, /NATIONAL 0 of 7/],
    ["an own file while the streams do not answer", { ends: undefined, hasOwnTable: true }, /streams/],
  ];
  test.each(cases)("%s", (_what, known, why) => {
    expect(waitsFor({ ...start, ...known })).toMatch(why);
  });
});
