import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectControl, type Control } from "#infra/local/control.ts";
import { impossibleFaults } from "#infra/local/site-faults.ts";
import { hubStream, hubSubject } from "#proto/names.ts";
import { connectAs, startServers, stateOf, temporaryFolder, until } from "./small-nation.ts";

const folder = temporaryFolder();
const whyNot = (kind: string) => impossibleFaults().find((fault) => fault.kind === kind)?.why ?? "";
let nation: Awaited<ReturnType<typeof startServers>>;
let control: Control;

beforeAll(async () => {
  nation = await startServers(folder.path, ["astana"], ["nats", "postgres"]);
  control = connectControl(folder.path);
  await using coordination = await connectAs(nation, "capital", "coordination");
  const hub = await coordination.jetstreamManager();
  await hub.streams.add({ name: hubStream.up("events", "astana", 1), subjects: ["up.astana.1.>"] });
});
afterAll(async () => {
  await nation?.stop();
  folder[Symbol.dispose]();
});

const isReady = async (service: string) =>
  stateOf(await nation.status(), "astana", service).state === "ready";

/** Asks the region's database, as the superuser. */
async function sql(statement: string): Promise<readonly Record<string, unknown>[]> {
  const password = readFileSync(join(folder.path, "astana", "secrets", "postgres-password"), "utf8").trim();
  const [host, port] = (nation.run.sites["astana"]?.["postgres"]?.["sql"] ?? "").split(":");
  const client = new pg.Client({ host, port: Number(port), user: "qalqan", database: "qalqan", password });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Says something to the hub through the line; milliseconds until it was answered, undefined when it was not. */
async function answeredAfterMs(timeout = 1_500): Promise<number | undefined> {
  await using line = await connectAs(nation, "astana", "line");
  const began = performance.now();
  try {
    await line.request(hubSubject.up("events", "astana", 1, "centre.directive"), "one", { timeout });
    return performance.now() - began;
  } catch {
    return undefined;
  }
}

test("a slow line carries everything, later", async () => {
  await until("the line carries", async () => (await answeredAfterMs()) !== undefined);
  await control.slow("astana", { latencyMs: 200, bytesPerSecond: 100_000 });
  const [line] = (await control.status()).lines;
  expect(line).toMatchObject({ cut: false, slow: { latencyMs: 200, bytesPerSecond: 100_000 } });
  expect(await answeredAfterMs(5_000)).toBeGreaterThan(390);
  await control.heal("astana");
  expect((await control.status()).lines).toMatchObject([{ slow: null }]);
});

test("a half-open line keeps its connections and carries nothing; once healed it carries what is new", async () => {
  await control.halfOpen("astana");
  expect(await answeredAfterMs(500)).toBeUndefined();
  expect((await control.status()).lines).toMatchObject([{ halfOpen: true, connected: true, cut: false }]);
  await control.heal("astana");
  await until("the line carries", async () => (await answeredAfterMs()) !== undefined);
});

test("a store that is put back has what it had, and not what came after", async () => {
  await sql("create table kept (value int)");
  await sql("insert into kept values (1)");
  await control.snapshot("astana", ["nats", "postgres"]);
  expect((await control.status()).copies.map(({ service }) => service)).toEqual(["nats", "postgres"]);
  await sql("insert into kept values (2)");
  await control.restore("astana", ["nats", "postgres"]);
  await until("both are ready", async () => (await isReady("nats")) && (await isReady("postgres")));
  expect(await sql("select value from kept")).toEqual([{ value: 1 }]);
});

test("without a copy nothing is put back, and a process without storage has none", async () => {
  await expect(control.restore("capital", ["nats"])).rejects.toMatchObject({ code: "wrong-state" });
  await expect(control.snapshot("astana", ["redis"])).rejects.toMatchObject({ code: "unknown-service" });
});

test.skipIf(whyNot("disk-full") !== "")(
  `a full disk takes nothing more; freed, the database is as it was ${whyNot("disk-full")}`,
  async () => {
    await control.fill("astana", "postgres");
    expect((await control.status()).faults).toMatchObject([{ service: "postgres", kind: "disk-full" }]);
    await expect(
      sql("create table large as select repeat('x', 1000) as text from generate_series(1, 100000)"),
    ).rejects.toThrow(/No space left|terminated|refused|closed|recovery mode|starting up|not yet accepting/i);
    await control.free("astana", "postgres");
    await until("it is ready again", () => isReady("postgres"));
    expect((await control.status()).faults).toEqual([]);
    expect(await sql("select value from kept")).toEqual([{ value: 1 }]);
    await sql("create table large as select repeat('x', 1000) as text from generate_series(1, 1000)");
  },
);

test.skipIf(whyNot("disk-full") !== "")(
  `a nation that ends with a full disk has its storage back at the next start ${whyNot("disk-full")}`,
  async () => {
    await control.fill("astana", "nats");
    const storage = join(folder.path, "astana", "nats-jetstream");
    expect(existsSync(join(storage, "ballast"))).toBe(true);
    await nation.stop();
    expect(existsSync(join(storage, "ballast"))).toBe(false);
    expect(existsSync(join(storage, "jetstream"))).toBe(true);
    nation = await startServers(folder.path, ["astana"], ["nats", "postgres"]);
    await until("the line carries", async () => (await answeredAfterMs()) !== undefined);
  },
);

test.skipIf(whyNot("clock") !== "")(
  `a clock is as wrong as it was told to be, and right again ${whyNot("clock")}`,
  async () => {
    const wrongBySeconds = async () => {
      const [row] = await sql("select extract(epoch from clock_timestamp())::float8 as now");
      return Math.round(Number(row?.["now"]) - Date.now() / 1_000);
    };
    await control.skew("astana", -600);
    await until("it is ready again", () => isReady("postgres"));
    expect((await control.status()).faults).toMatchObject([{ service: "", kind: "clock" }]);
    expect(await wrongBySeconds()).toBeCloseTo(-600, -1);
    await control.skew("astana", 0);
    await until("it is right", async () => Math.abs(await wrongBySeconds()) < 5);
    expect((await control.status()).faults).toEqual([]);
  },
);
