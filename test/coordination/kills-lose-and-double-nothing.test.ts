import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubStream, hubSubject } from "#proto/names.ts";
import { appendPatiently, lastOf } from "#test/replication/servers.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { approvalOf, directiveOf, directives, idOf, memberOf, numberOf, revokedOf } from "./directives.ts";

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty"]);
});
afterAll(async () => {
  await capital.stop();
});

/** Every decision of NATIONAL about a directive, in order; the messages' digests are verified on the way. */
async function decisions(): Promise<Map<string, string[]>> {
  const { batches } = await capital.national();
  const words = new Map<string, string[]>();
  for (const { directive, revision, decision } of batches.flatMap((batch) => batch.decisions)) {
    words.set(directive, [...(words.get(directive) ?? []), `${revision} ${decision}`]);
  }
  return words;
}

test("kill -9 at any moment: every opinion is decided exactly once, and every digest is right", async () => {
  const count = 120;
  const killer = (async () => {
    for (let kill = 0; kill < 6; kill += 1) {
      await sleep(250 + kill * 70);
      await capital.coordination.killAndRestart();
    }
  })();
  for (let index = 0; index < count; index += 1) {
    const region = index % 2 === 0 ? "astana" : "almaty";
    await capital.send(region, "urgent", directives(directiveOf(region, index)));
    await sleep(12);
  }
  await killer;
  await until(async () => (await decisions()).size === count);
  expect([...(await decisions()).values()].every((words) => words.join() === "1 accepted")).toBe(true);
  const { table } = await capital.national();
  expect(table.size).toBe(count);
});

test("kill -9 while a batch of 5,000 is folded: it goes on where it was, urgent work in between", async () => {
  const batch = idOf("astana", 10_000);
  const from = 20_000;
  for (let part = 0; part < 5; part += 1) {
    const members = Array.from({ length: 1_000 }, (_, index) =>
      memberOf("astana", batch, from + part * 1_000 + index),
    );
    await capital.send("astana", "events", directives(...members));
  }
  await capital.send("astana", "events", { $case: "approval", value: approvalOf("astana", { batch }) });
  const urgent = directiveOf("almaty", 30_000);
  await capital.send("almaty", "urgent", directives(urgent));
  for (let kill = 0; kill < 3; kill += 1) {
    await sleep(400);
    await capital.coordination.killAndRestart();
  }
  const members = async () =>
    [...(await decisions())].filter(
      ([id]) => id >= idOf("astana", from) && id < idOf("astana", from + 5_000),
    );
  await until(async () => (await members()).length === 5_000, 60_000);
  expect((await members()).every(([, words]) => words.join() === "1 accepted")).toBe(true);
  expect((await decisions()).get(urgent.id)).toEqual(["1 accepted"]);

  await capital.send("astana", "urgent", {
    $case: "batchRevocation",
    value: {
      batch,
      person: "prosecutor-1.astana",
      role: "regional-prosecutor",
      reason: "mistake",
      atMs: Date.now(),
    },
  });
  await sleep(300);
  await capital.coordination.killAndRestart();
  await until(
    async () => (await members()).every(([, words]) => words.join() === "1 accepted,1 revoked"),
    60_000,
  );
  const { table, batches } = await capital.national();
  expect(table.entriesOf(numberOf(from)).measure).toBeUndefined();
  expect(batches.flatMap(({ revokedBatches }) => revokedBatches)).toEqual([batch]);
  expect(batches.every(({ rows }) => rows.length <= 1_000)).toBe(true);
});

test("PostgreSQL and the hub are killed: coordination goes on by itself or is started again", async () => {
  const before = (await decisions()).size;
  await capital.postgres.killAndRestart();
  await capital.send("astana", "urgent", directives(directiveOf("astana", 40_000)));
  // The supervisor's part: the lock is lost with PostgreSQL, so the process has ended.
  await sleep(1_500);
  await capital.coordination.killAndRestart();
  await until(async () => (await decisions()).size === before + 1);
  await capital.hub.killAndRestart();
  await until(async () => {
    await lastOf(capital.nats, hubStream.national(firstEpoch));
    return true;
  });
  const opinion = directiveOf("astana", 40_001);
  await capital.send("astana", "urgent", directives(opinion));
  await capital.send("astana", "urgent", directives(revokedOf(opinion)));
  await until(async () => (await decisions()).get(opinion.id)?.at(-1) === "2 revoked");
  const words = [...(await decisions()).values()].flat();
  expect(words.length).toBe(
    new Set([...(await decisions())].flatMap(([id, each]) => each.map((word) => id + word))).size,
  );
});

test("a hub that holds something else than PostgreSQL calls a person, and nobody leads", async () => {
  await capital.coordination.stop("SIGTERM");
  const last = await lastOf(capital.nats, hubStream.national(firstEpoch));
  await appendPatiently(
    capital.nats,
    hubSubject.national(firstEpoch),
    last + 1,
    Buffer.from("of another leader"),
  );
  capital.coordination.start();
  await until(() => capital.log().includes('"code":"waits-for-person"'));
  expect(capital.log()).toContain(`message ${last + 1} of NATIONAL cannot be read`);
});
