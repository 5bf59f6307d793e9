import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addressIn, readRunFile } from "#infra/local/run-file.ts";
import { batchGet, streamRange } from "#platform/batch-get.ts";
import { createLog } from "#platform/log.ts";
import { connectNats } from "#platform/nats.ts";
import { regionStream, streamAsk } from "#proto/names.ts";
import { Calls } from "#proto/qalqan/events/v1/events.ts";
import { until } from "#test/replication/servers.ts";
import { NumberSearch } from "./number-search.ts";
import { RunningNation, type StatisticsDocument } from "./running-nation.ts";
import { TappedLine } from "./tapped-line.ts";

const regions = ["astana", "almaty"];
const callsMin = 1_500;
const victims = ["+77015550101", "+77172550102", "+77475550103"];

/** How a person writes numbers into free text. */
const freeText = [
  `позвонила ${victims[0]}, она же 8 (701) 555-01-01; муж 8.717.255.01.02`,
  "детям: 0077475550103, 810 7 747 555 01 03, +7 747 5550103",
].join("\n");

describe("what crosses a region's line", () => {
  let nation: RunningNation;
  const taps: TappedLine[] = [];
  beforeAll(async () => {
    nation = await RunningNation.start({ regions: regions.join() });
    for (const region of regions) {
      expect((await nation.run("local", "cut", region)).code).toBe(0);
      taps.push(await TappedLine.open(nation.dataFolder, region));
    }
    await until(() => taps.every(({ connections }) => connections > 0), 30_000);
  });
  afterAll(async () => {
    for (const tap of taps) await tap[Symbol.asyncDispose]();
    await nation[Symbol.asyncDispose]();
  });

  /** Every called number that a region's switches asked about, as LOCAL keeps it. */
  async function called(region: string): Promise<Set<string>> {
    const run = readRunFile(nation.dataFolder);
    const secret = (name: string) =>
      readFileSync(path.join(nation.dataFolder, region, "secrets", name), "utf8");
    const connection = await connectNats(
      {
        NATS_URL: `tls://${addressIn(run, region, "nats", "client")}`,
        NATS_SEED_FILE: secret("nats-centre").trim(),
      },
      {
        ca: readFileSync(run.clients.cli.ca, "utf8"),
        cert: secret("centre-certificate.pem"),
        key: secret("centre-certificate.key.pem"),
      },
      "test",
      createLog("test", region, "error"),
    );
    const numbers = new Set<string>();
    const { first, last } = await streamRange(connection, streamAsk.info(regionStream.local));
    for (let next = first; next <= last;) {
      const messages = await batchGet(connection, streamAsk.get(regionStream.local), next);
      for (const { data } of messages)
        for (const { calledNumber } of Calls.decode(data).calls) numbers.add(calledNumber);
      next = (messages.at(-1)?.sequence ?? last) + 1;
    }
    await connection.close();
    return numbers;
  }

  test("is no number of anybody who was called, in any form, and none out of free text", async () => {
    const asking = nation.begin(
      "traffic",
      "--seed",
      "7",
      "--at",
      "11:00",
      "--json",
      "--calls-per-second",
      "200",
    );
    // People's work, with victims in every text that stays in the region.
    for (const [index, region] of regions.entries()) {
      for (const audience of ["all", "region", regions[1 - index] ?? ""]) {
        await nation.json(
          ...["intelligence", "add", "--region", region, "--kind", "number", "--audience", audience],
          ...["--field", `number=+44791112345${index}`, "--tlp", "amber", "--note", freeText],
        );
      }
    }
    await nation.json(
      ...["directive", "issue", "--region", "astana", "--number", "+44 7911 123499", "--action", "block"],
      ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d", "--wait"],
    );
    const statistics = () => nation.json<StatisticsDocument>("statistics", "--since", "1h");
    await expect
      .poll(async () => (await statistics()).calls, { timeout: 90_000, interval: 1_000 })
      .toBeGreaterThan(callsMin);
    asking.interrupt();
    await asking.ended;
    await sleep(2_000);

    const asked = new Set([...(await called("astana")), ...(await called("almaty"))]);
    const numbers = [...asked].filter((number) => /^\+\d{9,15}$/.test(number));
    expect(numbers.length).toBeGreaterThan(callsMin / 2);
    const crossed = taps.flatMap((tap) => tap.crossed);
    const bytes = crossed.reduce((sum, each) => sum + each.length, 0);
    expect(bytes).toBeGreaterThan(100_000);
    // Compressed it would hide from a search whatever is in it.
    expect(crossed.some((each) => each.includes("S2sTwO"))).toBe(false);

    const search = new NumberSearch([...numbers, ...victims]);
    expect(crossed.flatMap((each) => search.in(each))).toEqual([]);
    // The same search finds what is shared on purpose: a directive's target, each region's fraudster.
    const shared = ["+447911123499", ...regions.map((_, index) => `+44791112345${index}`)];
    const control = new NumberSearch(shared);
    const found = crossed.flatMap((each) => control.in(each)).map(({ number }) => number);
    expect(new Set(found)).toEqual(new Set(shared));
  });
});

test("the search finds a number however it is hidden", () => {
  const number = "+77015550101";
  const search = new NumberSearch([number]);
  const sha256 = createHash("sha256").update("87015550101").digest();
  const hidden: Record<string, Buffer | string> = {
    international: "x+77015550101y",
    domestic: "87015550101",
    "by the international prefix": "tel:0077015550101",
    written: "8 (701) 555-01-01",
    dotted: "8.701.555.01.01",
    "with no-break spaces": "+7\u00a0701\u00a0555\u00a001\u00a001",
    "in free text": freeText,
    base64: Buffer.from("я звонил 87015550101").toString("base64"),
    "base64 for addresses": `?q=${Buffer.from("+77015550101").toString("base64url")}`,
    hexadecimal: Buffer.from("+77015550101").toString("hex"),
    hashed: sha256,
    "hashed, the first 64 bits": Buffer.concat([
      Buffer.from([1, 2, 3]),
      sha256.subarray(0, 8),
      Buffer.from([4]),
    ]),
    "hashed, in hexadecimal": sha256.toString("hex"),
    "hashed, in base64": sha256.toString("base64"),
  };
  for (const [how, bytes] of Object.entries(hidden)) {
    expect([how, search.in(Buffer.from(bytes)).map((each) => each.number)]).toEqual([how, [number]]);
  }
  expect(search.in(Buffer.from("87015550102, 701555 and 0101, 1790000000000"))).toEqual([]);
});
