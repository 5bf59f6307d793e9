import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog } from "#platform/log.ts";
import { messageHash } from "#platform/message-hash.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { NationalTable } from "#domain/national-table.ts";
import { Enforcement } from "../../services/screening/enforcement.ts";
import { SnapshotFile } from "../../services/screening/store/snapshot-file.ts";
import { replaceFile } from "../../services/screening/store/replace-file.ts";
import { entry } from "./screening-service.ts";

const region = "astana";
const log = createLog("test", region, "fatal");
let folder: string;
let enforcement: Enforcement;
let file: SnapshotFile;
/** A second table is the capital, which knows each digest. */
let capital: NationalTable;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "qalqan-snapshot-"));
  enforcement = new Enforcement(region, log, () => undefined);
  enforcement.replaceOverlay(enforcement.overlay, 1, enforcement.lastOfLanes);
  file = new SnapshotFile(folder, enforcement, log);
  capital = new NationalTable(region);
});

afterEach(() => rmSync(folder, { recursive: true }));

const number = (index: number) => `+44207${String(1_000_000 + index)}`;
const id = (index: number) => `astana-${String(index).padStart(26, "0")}`;

type Row = ReturnType<typeof entry> | { row: { $case: "removed"; value: string } };

function publish(rows: Row[], decided: readonly number[] = [], decision = "accepted"): void {
  const decisions = decided.map((index) => ({
    ...{ directive: id(index), region, revision: 1, decision, reason: "", missing: [] },
  }));
  const batch = NationalBatch.fromPartial({
    ...{ sequence: capital.sequence + 1, atMs: 1, rows, decisions },
  });
  capital.apply(batch);
  expect(enforcement.applyNational({ ...batch, digestAfter: Buffer.from(capital.digest) })).toBe(true);
}

function issue(
  sequence: number,
  indices: readonly number[],
  change: { revoked?: boolean; text?: string } = {},
) {
  const { revoked = false, text = "" } = change;
  const directives = indices.map((index) => ({
    ...{ id: id(index), revision: revoked ? 2 : 1, target: number(index), action: "block", scope: "nation" },
    ...{
      reason: "fraud",
      authorRole: "operator",
      expiresAtMs: Date.now() + 1e9,
      batch: "",
      falseStopOf: text,
    },
    ...{ revoked, overrideRevision: 0 },
  }));
  const event = Event.fromPartial({ body: { $case: "directives", value: { directives } } });
  const message = { sequence, subject: `events.1.a.${sequence}`, data: Buffer.from("event") };
  enforcement.applyEvent("events", message, event);
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const reread = () => new SnapshotFile(folder, enforcement, log).read(region);

test("a snapshot is written while table and lanes go on, and is of the moment at which it began", async () => {
  publish(
    upTo(20_000).map((index) => entry(number(index), "block", id(index))),
    upTo(5_000),
  );
  issue(1, upTo(10_000));
  const begun = JSON.stringify(enforcement.overlay.serialise());
  let changes = 0;
  const busy = setInterval(() => {
    const index = changes;
    changes += 1;
    publish([
      { row: { $case: "removed", value: `measure|${number(19_999 - index)}` } },
      entry(number(index), "warn", id(index)),
      entry(number(50_000 + index), "block", id(50_000 + index)),
    ]);
    publish([], [9_999 - index], "rejected");
    issue(2 + index, [index], { revoked: true });
    issue(2 + index, [20_000 + index]);
  }, 1);
  const written = file.write(enforcement);
  const { sequence, digest } = enforcement.table;
  await written;
  clearInterval(busy);
  expect(changes).toBeGreaterThan(5);
  const read = await reread();
  expect(read?.table.sequence).toBe(sequence);
  expect(read?.table.digest).toEqual(digest);
  expect([...(read?.table.decisions() ?? [])]).toHaveLength(5_000);
  expect(JSON.stringify(read?.overlay.serialise())).toBe(begun);
  const last = { subject: "events.1.a.1", data: Buffer.from("event") };
  expect(read?.lastOfLanes.events).toEqual(messageHash(last));
});

test("a snapshot that is longer than a text may be is read again", async () => {
  const text = "0123456789abcdef".repeat(128 * 1024);
  issue(1, upTo(300), { text });
  await file.write(enforcement);
  const read = await reread();
  expect(read?.overlay.ownCount).toBe(300);
  expect(read?.overlay.ownDirective(id(299))?.directive?.falseStopOf).toBe(text);
});

test("a snapshot that was cut short, or of which a byte is another, is not used", async () => {
  publish([entry(number(1), "block", id(1))]);
  issue(1, [1, 2, 3]);
  await file.write(enforcement);
  const whole = readFileSync(file.path, "utf8");
  const others = [
    whole.slice(0, -1),
    whole.slice(0, whole.length / 2),
    whole.replace("operator", "operatos"),
    `${whole}{}\n`,
    "",
  ];
  for (const other of others) {
    writeFileSync(file.path, other);
    expect(await reread()).toBeUndefined();
  }
  writeFileSync(file.path, whole);
  expect((await reread())?.overlay.ownCount).toBe(3);
});

test("the file of the release before, with all decisions in one line, is read", async () => {
  publish([entry(number(1), "block", id(1))], [1]);
  issue(1, [1]);
  await file.write(enforcement);
  const lines = readFileSync(file.path, "utf8").trimEnd().split("\n");
  const [head = "", own = "", national = "", decision = "", row = ""] = lines;
  const { overlay, ...rest } = JSON.parse(head) as { overlay: object };
  const before = [
    JSON.stringify({ ...rest, overlay: { ...overlay, directives: [] } }),
    own,
    JSON.stringify({ ...JSON.parse(national), format: 1, decisions: [JSON.parse(decision)] }),
    row,
    "",
  ].join("\n");
  mkdirSync(folder, { recursive: true });
  writeFileSync(file.path, `${before}sha256 ${createHash("sha256").update(before).digest("hex")}\n`);
  const read = await reread();
  expect(read?.table.digest).toEqual(enforcement.table.digest);
  expect(read?.table.decidedRevision(id(1))).toBe(1);
  expect(read?.overlay.serialise()).toEqual(enforcement.overlay.serialise());
});

test("a file that cannot be written to its end leaves the one of before, and nothing beside it", async () => {
  issue(1, [1, 2, 3]);
  await file.write(enforcement);
  const before = readFileSync(file.path, "utf8");
  function* cut() {
    yield "a part";
    throw new Error("the disk is full");
  }
  await expect(replaceFile(file.path, cut())).rejects.toThrow("the disk is full");
  expect(readFileSync(file.path, "utf8")).toBe(before);
  expect(readdirSync(folder)).toEqual(["enforcement.snapshot"]);
});
