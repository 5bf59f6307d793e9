import { afterAll, beforeAll, expect, test } from "vitest";
import { leafHash } from "#domain/merkle.ts";
import { chainStart, endOfChain, judgeSeal, sealCovers, SealKeys, type Seal } from "#domain/seal.ts";
import { call } from "#platform/grpc-client.ts";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { lastOf, readAll } from "#test/replication/servers.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";
import { SealedRegionLane } from "./sealed-region.ts";

const regions = ["astana", "almaty", "shymkent", "aktobe", "atyrau", "kostanay"];
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(regions, { SEAL_MISSING_SECONDS: "1" });
  for (const region of regions) capital.keys.of(region);
});
afterAll(() => capital.stop());

interface Kept {
  readonly region: string;
  readonly sequence: number;
  readonly last: number;
}
const verified = async (region: string): Promise<number> => {
  const rows = await capital.query<Kept>(
    `select sequence::integer, last::integer from verified_lane where region = '${region}' and lane = 'urgent'`,
  );
  return rows[0]?.sequence ?? 0;
};
const lastOfLane = (region: string) => lastOf(capital.nats, hubStream.up("urgent", region, firstEpoch));

interface Broken {
  readonly detail: string;
}
async function broken(region: string): Promise<{ fault: string; sequence: number; first: number }[]> {
  const rows = await capital.query<Broken>(
    `select detail from audit where what = 'seal-broken' and region = '${region}' order by number`,
  );
  return rows.map(({ detail }) => JSON.parse(detail) as { fault: string; sequence: number; first: number });
}

async function alarmsOf(region: string): Promise<string[]> {
  const metadata = await capital.token("central-prosecutor");
  const status = await call(capital.client.getStatus.bind(capital.client), {}, { metadata });
  return status.alarms.filter(({ subject }) => subject.startsWith(`${region} `)).map(({ code }) => code);
}

async function send(region: string, from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index += 1)
    await capital.send(region, "urgent", directives(directiveOf(region, index)));
}

test("good seals are verified through kills of coordination, those from before its start too", async () => {
  const lane = new SealedRegionLane(capital, "astana", "urgent");
  for (let round = 0; round < 4; round += 1) {
    await send("astana", 10 * round, 3);
    await lane.seal();
    if (round === 2) await capital.coordination.stop("SIGKILL");
  }
  capital.coordination.start();
  await until(async () => (await verified("astana")) === (await lastOfLane("astana")));
  // A rotated key signs the next one; the capital reads the file again.
  capital.keys.rotate("astana");
  await send("astana", 90, 2);
  await lane.seal();
  await until(async () => (await verified("astana")) === (await lastOfLane("astana")));
  expect(await broken("astana")).toEqual([]);
  expect(await alarmsOf("astana")).toEqual([]);
});

test("a seal over other messages than are there is named in audit and alarm, and what it covers is enforced", async () => {
  const lane = new SealedRegionLane(capital, "almaty", "urgent");
  await send("almaty", 0, 3);
  const seal = await lane.next();
  await lane.send(capital.keys.of("almaty").sign({ ...seal, root: leafHash(Buffer.from("something else")) }));
  await until(async () => (await broken("almaty")).length === 1);
  expect(await broken("almaty")).toMatchObject([{ fault: "other-root", sequence: 4, first: 1 }]);
  expect(await alarmsOf("almaty")).toEqual(["seal-broken"]);
  await until(async () => {
    const { batches } = await capital.national();
    const decided = batches.flatMap((batch) => batch.decisions.map(({ region }) => region));
    return decided.filter((region) => region === "almaty").length === 3;
  });
  // The chain goes on after it.
  await send("almaty", 10, 1);
  await lane.seal();
  await until(async () => (await verified("almaty")) === (await lastOfLane("almaty")));
  expect(await broken("almaty")).toHaveLength(1);
  // The alarm is there again after a restart.
  await capital.coordination.killAndRestart();
  await capital.ready();
  await until(async () => (await alarmsOf("almaty")).includes("seal-broken"));
});

test("a region cannot seal with another region's key, and the chain goes on as if it had not", async () => {
  const lane = new SealedRegionLane(capital, "shymkent", "urgent");
  await send("shymkent", 0, 2);
  const [own, forged] = [await lane.next(), await lane.next(capital.keys.of("aktobe"))];
  await lane.send(forged);
  await until(async () => (await broken("shymkent")).length === 1);
  expect(await broken("shymkent")).toMatchObject([{ fault: "unknown-key" }]);
  await lane.send(own);
  await until(async () => (await verified("shymkent")) === (await lastOfLane("shymkent")));
  expect(await broken("shymkent")).toHaveLength(1);
});

test("a seal that was left out is found by the next one", async () => {
  const lane = new SealedRegionLane(capital, "aktobe", "urgent");
  await send("aktobe", 0, 2);
  const leftOut = await lane.next();
  const after = { ...leftOut, first: 3, last: 3, previous: endOfChain(leftOut).hash };
  await send("aktobe", 5, 1);
  await lane.send(capital.keys.of("aktobe").sign(after));
  await until(async () => (await broken("aktobe")).length === 1);
  expect(await broken("aktobe")).toMatchObject([{ fault: "other-range" }]);
});

test("events that their region does not seal are an alarm, on the page too, until the seal comes", async () => {
  const of = { regionEpoch: firstEpoch, atMs: 1, release: "test" };
  const heartbeat = { ...of, streams: [], numbers: [], nationalSeal: undefined };
  const isAlarmed = async () => {
    // What the region says last is the clock.
    const value = { region: "kostanay", ...heartbeat };
    await capital.send("kostanay", "events", { $case: "heartbeat", value });
    return (await alarmsOf("kostanay")).includes("seal-missing");
  };
  await send("kostanay", 0, 2);
  await until(isAlarmed);
  expect(await capital.page()).toMatchObject({
    alarms: expect.arrayContaining([
      expect.objectContaining({ region: "", code: "seal-missing", subject: "kostanay urgent 1" }),
    ]) as unknown,
  });
  await new SealedRegionLane(capital, "kostanay", "urgent").seal();
  await until(async () => !(await isAlarmed()));
});

test("the capital seals NATIONAL in one chain, through its own kills", async () => {
  const keys = new SealKeys({ capital: [{ kid: capital.keys.of("capital").keyId, x: await capitalKey() }] });
  await send("atyrau", 0, 1);
  await capital.coordination.killAndRestart();
  await send("atyrau", 1, 1);
  let seals: Seal[] = [];
  await until(async () => {
    const messages = await readAll(capital.nats, hubStream.national(firstEpoch));
    const batches = messages.map(({ data }) => NationalBatch.decode(data));
    seals = batches.map(({ seal }) => seal).filter((seal) => seal !== undefined);
    const decided = batches.findLast(({ decisions }) => decisions.some(({ region }) => region === "atyrau"));
    return decided !== undefined && (seals.at(-1)?.last ?? 0) >= decided.sequence;
  });
  const messages = await readAll(capital.nats, hubStream.national(firstEpoch));
  const leaves = messages.map(({ data }) => leafHash(data));
  let end = chainStart;
  const of = { stream: "national", site: "capital", epoch: firstEpoch };
  for (const seal of seals) {
    expect(judgeSeal(seal, of, end, keys)).toBeUndefined();
    expect(sealCovers(seal, leaves.slice(seal.first - 1, seal.last))).toBe(true);
    end = endOfChain(seal);
  }
  const withSeal = messages
    .map(({ data }) => NationalBatch.decode(data))
    .filter(({ seal }) => seal !== undefined);
  for (const { rows, decisions } of withSeal) expect([...rows, ...decisions]).toEqual([]);
});

async function capitalKey(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const list = JSON.parse(await readFile(capital.keys.publishedFile, "utf8")) as {
    readonly capital: readonly { readonly x: string }[];
  };
  return list.capital.at(-1)?.x ?? "";
}
