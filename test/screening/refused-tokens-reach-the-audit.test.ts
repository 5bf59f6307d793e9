import { afterAll, beforeAll, expect, test } from "vitest";
import { bearer } from "#platform/grpc-client.ts";
import { until } from "#test/replication/servers.ts";
import { entry, ScreenedRegion } from "./screening-service.ts";

let region: ScreenedRegion;

beforeAll(async () => {
  region = await ScreenedRegion.start();
  await region.startScreening();
  const observed = entry("+442079460111", "observe", "astana-1");
  observed.row.value.slot = "observe";
  await region.untilApplied(await region.publish({ rows: [observed] }));
});
afterAll(() => region.stop());

const question = { callingNumber: "+442079460111", trial: true, explain: true };
const ask = () => region.screen(question, bearer("no.such.token"));
const told = () => (region.centreSays.refused ?? []).reduce((sum, { count }) => sum + count, 0);

test("a token that proves nothing is answered without what it may not see, and told to the centre", async () => {
  // Who shows no token is refused none.
  await region.screen(question);
  expect((await ask()).matches).toEqual([]);
  await until(() => told() === 1);
  expect(region.centreSays.refused).toEqual([
    { actor: "unknown person", region: "", reason: "token", count: 1 },
  ]);
});

test("what the centre could not hear is in the next sum", async () => {
  region.centreSays.refused = undefined;
  await ask();
  await until(() => region.nation.log("screening").includes("refusals-untold"));
  region.centreSays.refused = [];
  await ask();
  await until(() => told() === 2);
});
