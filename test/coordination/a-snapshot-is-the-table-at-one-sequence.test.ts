import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NationalTable } from "#domain/national-table.ts";
import { call } from "#platform/grpc-client.ts";
import { newestSnapshot, snapshotChunks } from "#platform/snapshots.ts";
import { firstEpoch, hubStream, hubSubject } from "#proto/names.ts";
import { NationalHeartbeat, type NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import type { DecisionAt } from "#proto/qalqan/events/v1/snapshot.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { approvalOf, directiveOf, directives, idOf, memberOf, numberOf, revokedOf } from "./directives.ts";

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty"], {
    SNAPSHOT_ROWS_MIN: "40",
    SNAPSHOT_MESSAGES_MIN: "20",
  });
});
afterAll(async () => {
  await capital.stop();
});

const get = `$JS.API.DIRECT.GET.${hubStream.snapshot(firstEpoch)}`;

async function newest() {
  return newestSnapshot(capital.nats, get, hubSubject.snapshotManifest(firstEpoch));
}

/** The newest snapshot as a region reads it. */
async function readSnapshot() {
  const snapshot = await newest();
  if (snapshot === undefined) throw new Error("there is no snapshot");
  const table = new NationalTable("capital");
  const decisions: DecisionAt[] = [];
  const pieces: string[] = [];
  for await (const chunk of snapshotChunks(capital.nats, get, snapshot, () => true)) {
    expect(chunk.sequence).toBe(snapshot.manifest.sequence);
    table.load({ rows: chunk.rows, decisions: [], revokedBatches: chunk.revokedBatches });
    decisions.push(...chunk.decisions);
    pieces.push(...chunk.intelligence.map(({ intelligence }) => intelligence?.id ?? ""));
  }
  const { sequence, digest } = snapshot.manifest;
  expect(table.arrive(sequence, digest)).toBe(true);
  return { sequence, table, decisions, pieces, manifest: snapshot.manifest };
}

/** The decisions that NATIONAL made up to a sequence, the last on each directive. */
function decidedBy(batches: readonly NationalBatch[]): Map<string, string> {
  const decided = new Map<string, string>();
  for (const batch of batches) {
    for (const { directive, decision } of batch.decisions) {
      decided.set(directive, `${batch.sequence} ${decision}`);
    }
  }
  return decided;
}

test("a capital that has no snapshot writes one, also of an empty table", async () => {
  await until(async () => (await newest())?.manifest.sequence === 0);
  expect((await readSnapshot()).table.size).toBe(0);
});

test("while the leader goes on writing, each snapshot is the table, and what was decided, at exactly its sequence", async () => {
  const batch = idOf("almaty", 900_000);
  const members = Array.from({ length: 60 }, (_, index) => memberOf("almaty", batch, 900_001 + index));
  await capital.send("almaty", "events", directives(...members));
  await capital.send("almaty", "urgent", { $case: "approval", value: approvalOf("almaty", { batch }) });
  const metadata = await capital.token("central-prosecutor");
  const number = "+77272000000";
  await call(
    capital.client.addProtectedNumber.bind(capital.client),
    { number, originatesFrom: ["bank-trunk"], holder: "Банк" },
    { metadata },
  );
  const seen = new Set<number>();
  for (let index = 1; seen.size < 2 && index < 3_000; index += 1) {
    const opinion = directiveOf("astana", index);
    await capital.send("astana", "urgent", directives(opinion));
    if (index % 3 === 0) await capital.send("astana", "urgent", directives(revokedOf(opinion)));
    const sequence = (await newest())?.manifest.sequence ?? 0;
    if (sequence > 0) seen.add(sequence);
  }
  expect(seen.size).toBe(2);
  const { sequence, table, decisions } = await readSnapshot();
  await until(async () => (await capital.national()).batches.length >= sequence);
  const { batches } = await capital.national();
  const replayed = new NationalTable("capital");
  for (const each of batches.slice(0, sequence)) replayed.apply(each);
  expect(Buffer.from(table.digest)).toEqual(Buffer.from(replayed.digest));
  expect(table.size).toBe(replayed.size);
  expect(table.protectedNumber(number)?.holder).toBe("Банк");
  expect(table.entriesOf(numberOf(900_001)).measure?.action).toBe("warn");
  const told = new Map(
    decisions.map((at) => [at.decision?.directive ?? "", `${at.sequence} ${at.decision?.decision ?? ""}`]),
  );
  expect(told).toEqual(decidedBy(batches.slice(0, sequence)));
});

test("a capital that starts again goes on from the snapshot that the hub has, and tells its sequence", async () => {
  // So little has come after it that no other is due.
  const sinceNewest = async () =>
    (await capital.national()).batches.length - ((await newest())?.manifest.sequence ?? 0);
  for (let index = 5_000; (await sinceNewest()) >= 10; index += 1) {
    await capital.send("astana", "urgent", directives(directiveOf("astana", index)));
    await sleep(100);
  }
  await capital.coordination.stop("SIGTERM");
  const before = (await newest())?.message ?? 0;
  const told: number[] = [];
  const subscription = capital.nats.subscribe(hubSubject.heartbeat, {
    callback: (_, message) => told.push(NationalHeartbeat.decode(message.data).snapshotSequence),
  });
  capital.coordination.start();
  await capital.ready();
  await until(() => (told.at(-1) ?? 0) > 0);
  subscription.unsubscribe();
  expect((await newest())?.message).toBe(before);
});
