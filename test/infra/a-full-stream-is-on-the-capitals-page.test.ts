import { afterAll, beforeAll, expect, test } from "vitest";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { createStreams } from "#test/centre/region-streams.ts";
import { pageAt } from "#test/coordination/page.ts";
import { connectAs, startServers, temporaryFolder, until } from "./small-nation.ts";

const region = "astana";
const urgentBytesMax = 256 * 1024;
const folder = temporaryFolder();
let nation: Awaited<ReturnType<typeof startServers>>;

beforeAll(async () => {
  {
    await using servers = await startServers(folder.path, [region]);
    await using replication = await connectAs(servers, region, "replication");
    await createStreams(replication, { urgent: urgentBytesMax });
  }
  nation = await startServers(folder.path, [region], ["nats", "postgres", "coordination", "replication"]);
});
afterAll(async () => {
  await nation?.stop();
  folder[Symbol.dispose]();
});

const capital = () => nation.run.sites["capital"]?.["coordination"]?.["http"] ?? "";

/** Codes of the alarms about the urgent lane, as the capital's page shows them and its status tells them. */
async function alarms(): Promise<string[]> {
  const page = await pageAt(capital());
  const shown = page.alarms.filter((alarm) => alarm.region === region && alarm.subject === "URGENT");
  const status = (await (await fetch(`http://${capital()}/v1/status`)).json()) as {
    regions: { region: string; alarms: { code: string; subject: string }[] }[];
  };
  const told = status.regions.flatMap((each) => each.alarms).filter(({ subject }) => subject === "URGENT");
  const codes = told.map(({ code }) => code);
  // They are read one after the other: what is not in both is just changing.
  return shown.map(({ code }) => code).filter((code) => codes.includes(code));
}

test("a stream that fills up is an alarm at 80 %, another at its limit, and none once there is room", async () => {
  await using centre = await connectAs(nation, region, "centre");
  const producer = await LaneProducer.open(
    centre,
    "urgent",
    firstEpoch,
    "centre",
    AbortSignal.timeout(120_000),
  );
  const say = async (bytes: number, waitMs = 20_000) => {
    const value = { batch: "b", person: "p", role: "operator", reason: "x".repeat(bytes), atMs: 1 };
    const body = { $case: "batchRevocation", value } as const;
    await producer.append({ atMs: 1, body }, AbortSignal.timeout(waitMs));
  };
  await until("the region is heard without an alarm", async () => (await alarms()).length === 0);
  for (let count = 0; count < 27; count += 1) await say(8 * 1024);
  await until("it is nearly full", async () => (await alarms()).includes("stream-nearly-full"));

  for (let isTaken = true; isTaken;)
    isTaken = await say(512, 2_000).then(
      () => true,
      () => !producer.trouble.includes("maximum bytes"),
    );
  await until("it is full", async () => (await alarms()).includes("stream-full"));
  expect(await alarms()).not.toContain("stream-nearly-full");

  await using replication = await connectAs(nation, region, "replication");
  const manager = await replication.jetstreamManager({ checkAPI: false });
  await manager.streams.purge(regionStream.lane("urgent", firstEpoch), { keep: 1 });
  await until("the alarms are over", async () => (await alarms()).length === 0);
});
