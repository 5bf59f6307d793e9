import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseSigningKeys } from "#domain/signing-keys.ts";
import { capital as capitalName } from "#domain/vocabulary.ts";
import { openStore } from "#platform/archive/object-store.ts";
import { segmentsOf } from "#platform/archive/read-archive.ts";
import {
  packSegment,
  unpackSegment,
  type ArchivedStream,
  type SegmentName,
} from "#platform/archive/segment.ts";
import { streamRange } from "#platform/batch-get.ts";
import { read } from "#platform/grpc-client.ts";
import { firstEpoch, hubStream, streamAsk } from "#proto/names.ts";
import { verifyEvidence } from "../../services/cli/evidence/verify-evidence.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";
import { SealedRegionLane } from "./sealed-region.ts";

const region = "astana";
const directive = directiveOf(region, 1);
const folder = mkdtempSync(join(tmpdir(), "qalqan-archive-"));
const archive = openStore(pathToFileURL(folder).href, "");
const urgent: ArchivedStream = { site: region, stream: "urgent", epoch: firstEpoch };
const national: ArchivedStream = { site: capitalName, stream: "national", epoch: firstEpoch };
let capital: CapitalUnderTest;
let before: readonly string[];

/** A directive and all that belongs to it, then so much more that the streams let go of it. */
beforeAll(async () => {
  capital = await CapitalUnderTest.start([region], {
    ...{ ARCHIVE_URL: pathToFileURL(folder).href, ARCHIVE_EVERY_SECONDS: "0" },
    ...{ SNAPSHOT_ROWS_MIN: "5", SNAPSHOT_MESSAGES_MIN: "5" },
    ...{ TRIM_EVERY_MS: "200", KEPT_MESSAGES: "2", KEPT_HOURS: "0" },
  });
  capital.keys.of(region);
  const lanes = {
    urgent: new SealedRegionLane(capital, region, "urgent"),
    events: new SealedRegionLane(capital, region, "events"),
  };
  const sealAll = async () => {
    await lanes.urgent.seal();
    await lanes.events.seal();
  };
  await capital.send(region, "urgent", directives(directive));
  await until(async () => (await capital.national()).batches.some(({ decisions }) => decisions.length > 0));
  await capital.sendReceipt(region);
  await sealAll();
  await until(async () => {
    const told = findings(await exported());
    before = told.map(({ verdict, text }) => `${verdict}: ${text}`);
    return told.length > 3 && told.every(({ verdict }) => verdict === "proven");
  });
  for (let index = 2; !(await isAllTrimmed()); index += 1) {
    await capital.send(region, "urgent", directives(directiveOf(region, index)));
    await capital.send(region, "events", heartbeatOf(region));
    await sealAll();
  }
});
afterAll(async () => {
  await capital.stop();
  rmSync(folder, { recursive: true, force: true });
});

function heartbeatOf(slug: string) {
  const value = {
    region: slug,
    regionEpoch: firstEpoch,
    atMs: Date.now(),
    release: "test",
    streams: [],
    numbers: [],
    nationalSeal: undefined,
  };
  return { $case: "heartbeat" as const, value };
}

/** Neither the hub nor the log in PostgreSQL holds anything of the first directive, nor of the seals over it. */
async function isAllTrimmed(): Promise<boolean> {
  const streams = [
    hubStream.up("urgent", region, firstEpoch),
    hubStream.up("events", region, firstEpoch),
    hubStream.national(firstEpoch),
  ];
  const firsts = await Promise.all(
    streams.map(async (stream) => (await streamRange(capital.nats, streamAsk.info(stream))).first),
  );
  const [row] = await capital.query<{ least: number }>(
    "select min(sequence)::int as least from national_log",
  );
  return [...firsts, row?.least ?? 0].every((first) => first > 8);
}

async function exported(): Promise<string> {
  const metadata = await capital.token("central-prosecutor");
  const parts: Uint8Array[] = [];
  for await (const { content } of read(capital.client.exportEvidence({ directive: directive.id }, metadata)))
    parts.push(content);
  return Buffer.concat(parts).toString("utf8");
}

const findings = (text: string) =>
  verifyEvidence(text, parseSigningKeys(readFileSync(capital.keys.publishedFile, "utf8"))).findings;

test("what the streams have let go of is exported from the archive, and proven as before", async () => {
  const text = await exported();
  const told = findings(text).map(({ verdict, text: words }) => `${verdict}: ${words}`);
  // The first says when the file was made.
  expect(told.slice(1)).toEqual(before.slice(1));
});

test("a file with another word in it is found, also when it comes from the archive", async () => {
  const document = JSON.parse(await exported()) as { items: { bytes: string }[] };
  for (const item of document.items) {
    const bytes = Buffer.from(item.bytes, "base64");
    const at = bytes.indexOf("fraud");
    if (at < 0) continue;
    bytes.write("freud", at);
    item.bytes = bytes.toString("base64");
  }
  expect(findings(JSON.stringify(document)).map(({ verdict }) => verdict)).toContain("false");
});

/** Does something to an object of the archive, and puts it back. */
async function without(segment: SegmentName, change: (path: string) => void, then: () => Promise<void>) {
  const path = join(folder, segment.name);
  const bytes = readFileSync(path);
  change(path);
  try {
    await then();
  } finally {
    writeFileSync(path, bytes);
  }
}

async function segmentAt(of: ArchivedStream, at: number): Promise<SegmentName> {
  const named = (await segmentsOf(archive, of)).at(at);
  if (named === undefined) throw new Error("the archive has no such segment");
  return named;
}

test("an object with another byte, and one that is gone, end the export with its name", async () => {
  const changed = await segmentAt(urgent, 0);
  const change = (path: string) => {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1));
  };
  await without(changed, change, async () => {
    await expect(exported()).rejects.toThrow(`${changed.name} holds other bytes than those of its name`);
  });
  // All that was decided since is searched for the directive, so each of these is read; of a lane only some are.
  const gone = await segmentAt(national, 1);
  await without(
    gone,
    (path) => rmSync(path),
    async () => {
      await expect(exported()).rejects.toThrow(`capital/national: messages ${gone.first} to `);
    },
  );
});

test("an archive that somebody wrote anew, with names that fit, proves nothing", async () => {
  const kept = await Promise.all(
    (await segmentsOf(archive, urgent)).map(async (named) => ({
      named,
      bytes: await archive.get(named.name),
    })),
  );
  let previous = "";
  try {
    for (const { named, bytes } of kept) {
      const { messages } = await unpackSegment(named, bytes);
      for (const { data } of messages) if (data.includes("fraud")) data.write("freud", data.indexOf("fraud"));
      rmSync(join(folder, named.name));
      const { name, sha256, bytes: forged } = await packSegment(urgent, previous, messages);
      await archive.put(name, forged);
      previous = sha256;
    }
    expect(findings(await exported()).map(({ verdict }) => verdict)).toContain("false");
  } finally {
    for (const named of await segmentsOf(archive, urgent)) rmSync(join(folder, named.name));
    for (const { named, bytes } of kept) await archive.put(named.name, bytes);
  }
  expect(findings(await exported()).map(({ verdict }) => verdict)).not.toContain("false");
});
