import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "#platform/database.ts";
import type { Lane } from "#proto/names.ts";
import { until } from "#test/replication/servers.ts";
import { EntryCollector } from "../../services/centre/domain/import-entries.ts";
import { collect } from "../../services/centre/rpc/import.ts";
import { statementsOf, type Outgoing } from "../../services/centre/store/outbox.ts";
import { CentreService, operator, prosecutor } from "./centre-service.ts";
import { hearCapital } from "./hear-capital.ts";

describe("an import", () => {
  let service: CentreService;
  let hearing: NodeJS.Timeout;
  beforeAll(async () => {
    service = await CentreService.start();
    hearing = hearCapital(await service.servers.connect("coordination"));
  });
  afterAll(async () => {
    clearInterval(hearing);
    await service.stop();
  });

  const numberAt = (index: number) => `+1212${String(5_550_000 + index)}`;
  /** 2,500 numbers, each tenth twice, and five that are none. */
  const reported = [
    ...Array.from({ length: 2_500 }, (_, index) => numberAt(index)),
    ...Array.from({ length: 250 }, (_, index) => numberAt(10 * index)),
    ...["seecomment", "", "USA5682522", "12", "+0000000000000"],
  ];
  const events = async () =>
    (await service.lane("events")).flatMap(({ body }) =>
      body?.$case === "directives" ? [body.value.directives] : [],
    );
  const count = async () => {
    const query = service.database.selectFrom("directives");
    const row = await query
      .select((build) => build.fn.countAll<number>().as("found"))
      .executeTakeFirstOrThrow();
    return row.found;
  };

  let batch = "";

  test("becomes one held batch: repeats merged, nonsense refused by reason with its place in the file", async () => {
    const progress = await service.import(operator, reported);
    const last = progress.at(-1);
    expect(last).toMatchObject({
      ...{ entries: 2_755, accepted: 2_500, merged: 250, done: true, repeatedImport: false },
      ...{ state: "held", missing: ["second-person"] },
    });
    expect(progress.filter(({ done }) => done)).toHaveLength(1);
    const refused = progress.flatMap((each) => each.refused);
    expect(refused).toHaveLength(5);
    expect(refused[0]).toEqual({ index: 2_750, reason: "invalid-number", number: "seecomment" });
    batch = last?.batch ?? "";
    await until(async () => (await events()).length === 3);
    expect((await events()).map((each) => each.length)).toEqual([1_000, 1_000, 500]);
    expect((await events())[0]?.[0]).toMatchObject({
      batch,
      revision: 1,
      action: "warn",
      missing: ["second-person"],
    });
    expect(await service.batch(batch)).toMatchObject({ state: "held", directives: 2_500, settled: true });
  });

  test("of the same content again is the first batch, and writes nothing", async () => {
    const before = await count();
    const [first, second] = await Promise.all([
      service.import(operator, reported),
      service.import(prosecutor, reported),
    ]);
    for (const progress of [first, second]) {
      expect(progress.at(-1)).toMatchObject({
        ...{ batch, entries: 2_755, accepted: 0, merged: 2_750, done: true, repeatedImport: true },
      });
    }
    expect(await count()).toBe(before);
  });

  test("of the same content twice at once is one batch", async () => {
    const numbers = reported.slice(0, 300).map((number) => number.replace("+1212", "+1313"));
    const both = await Promise.all([service.import(operator, numbers), service.import(prosecutor, numbers)]);
    const ends = both.map((progress) => progress.at(-1));
    expect(new Set(ends.map((end) => end?.batch)).size).toBe(1);
    expect(new Set(ends.map((end) => end?.accepted))).toEqual(new Set([0, 300]));
  });

  test("is approved by one word of another person and then enforced", async () => {
    await expect(service.approve(operator, { batch })).rejects.toMatchObject({ code: "forbidden" });
    const answer = await service.approve(prosecutor, { batch });
    expect(answer.batch).toMatchObject({ state: "regional", missing: [], settled: false });
    const [member] = (await events())[0] ?? [];
    expect(await service.view(member?.id ?? "")).toMatchObject({ state: "regional", batch });
    await expect(service.approve(prosecutor, { directive: member?.id ?? "" })).rejects.toMatchObject({
      code: "conflict",
    });
    await service.receipt({ urgent: 1, events: 10 });
    await until(async () => (await service.batch(batch)).receipts[0]?.state === "enforced");
  });

  test("is national when the capital has decided every member, and enforced when the last one is", async () => {
    const ids = (await events())
      .flat()
      .filter((each) => each.batch === batch)
      .map(({ id }) => id);
    await service.decide(ids.slice(0, 2_000).map((directive) => ({ directive, decision: "accepted" })));
    const sequence = await service.decide(
      ids.slice(2_000).map((directive) => ({ directive, decision: "accepted" })),
    );
    await until(async () => (await service.batch(batch)).state === "national");
    expect(await service.batch(batch)).toMatchObject({ nationalRevision: sequence, settled: false });
    const enforced = { revision: 1, state: "enforced", enforcedAtMs: Date.now(), nationalSequence: sequence };
    await service.forRegion({
      enforcements: ids.slice(2_000).map((directive) => ({ ...enforced, directive, region: "almaty" })),
    });
    await service.receipt({ national: sequence, urgent: 1, events: 11 });
    await until(async () => (await service.batch(batch)).settled);
  });

  test("is revoked as one by its author or a prosecutor", async () => {
    const revoked = await service.as(operator, "revokeBatch", { batch, reason: "mistake" });
    expect(revoked).toMatchObject({
      state: "revoked",
      settled: false,
      receipts: [
        { region: "almaty", state: "waiting" },
        { region: "astana", state: "waiting" },
      ],
    });
    expect(await service.as(prosecutor, "revokeBatch", { batch, reason: "mistake" })).toMatchObject({
      state: "revoked",
    });
    const [member] = (await events())[0] ?? [];
    expect(await service.view(member?.id ?? "")).toMatchObject({
      state: "revoked",
      stateReason: "batch-revoked",
    });
    await until(async () =>
      (await service.lane("urgent")).some(
        ({ body }) => body?.$case === "batchRevocation" && body.value.batch === batch,
      ),
    );
  });

  test("of Kazakh numbers is national once the capital has a second region's approval too", async () => {
    const last = (await service.import(operator, ["+77011230001", "+77011230002", "+14155550177"])).at(-1);
    const kazakh = last?.batch ?? "";
    const all = ["second-person", "second-region", "carrier"];
    expect(last).toMatchObject({ accepted: 3, state: "held", missing: all });
    const members = async () =>
      (await events()).flat().filter((each) => each.batch === kazakh && each.target.startsWith("+7"));
    await until(async () => (await members()).length === 2);
    const foreign = (await events()).flat().find(({ target }) => target === "+14155550177");
    const ids = (await members()).map(({ id }) => id);

    await service.approve(prosecutor, { batch: kazakh });
    expect(await service.batch(kazakh)).toMatchObject({
      state: "held",
      missing: ["second-region", "carrier"],
    });
    await service.decide([{ directive: foreign?.id ?? "", decision: "accepted" }]);
    expect(await service.batch(kazakh)).toMatchObject({
      state: "held",
      missing: ["second-region", "carrier"],
    });
    await service.decide(ids.map((directive) => ({ directive, decision: "accepted" })));
    await until(async () => (await service.batch(kazakh)).state === "national");
    expect(await service.batch(kazakh)).toMatchObject({ missing: [] });
  });

  test("that breaks off half-way leaves nothing, and can be repeated", async () => {
    const before = await count();
    const numbers = Array.from({ length: 5_000 }, (_, index) => `+1414${String(5_550_000 + index)}`);
    const half = async (end: (call: { cancel(): void }) => Promise<void>) => {
      const client = await service.clientOf("person.astana");
      const call = client.import(await service.metadata(operator));
      const failed = new Promise((resolve) => call.on("error", resolve));
      call.resume();
      const header = {
        action: "warn",
        basis: "communications-law-41-1",
        reason: "fraud",
        scope: "",
        dryRun: false,
      };
      const expiresAtMs = Date.now() + 3_600_000;
      call.write({
        part: { $case: "header", value: { ...header, expiresAtMs, contentKey: "ab".repeat(32) } },
      });
      const entries = numbers.slice(0, 3_000).map((number, index) => ({ index, number }));
      call.write({ part: { $case: "entries", value: { entries } } });
      await new Promise((resolve) => call.once("data", resolve));
      await end({ cancel: () => (client.close(), call.cancel()) });
      await failed;
      client.close();
    };
    await half(async (call) => call.cancel());
    await half(() => service.centre.killAndRestart());
    await sleep(500);
    await until(async () => (await service.as(operator, "getQuota", { person: "" })).targetsLeft > 0);
    expect(await count()).toBe(before);
    expect((await service.import(operator, numbers)).at(-1)).toMatchObject({ accepted: 5_000, done: true });
  });

  test("that is being written keeps its author's single directives waiting for nothing", async () => {
    const content = "a file whose turn somebody else has";
    const held = `content:${createHash("sha256").update(content).digest("hex")}`;
    const importing = await service.database.transaction().execute(async (holder) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${held}, 0))`.execute(holder);
      const running = service.import(operator, ["+14155550102"], { content });
      await until(async () => {
        const { rows } = await sql<{ waiting: number }>`
          select count(*)::integer as waiting from pg_locks where locktype = 'advisory' and not granted
        `.execute(holder);
        return rows[0]?.waiting === 1;
      });
      // Answered while the import's transaction stands still: it would never be otherwise.
      expect(await service.issue(operator, { number: "+14155550103" })).toMatchObject({ state: "regional" });
      return { running };
    });
    expect((await importing.running).at(-1)).toMatchObject({ accepted: 1, done: true });
  });

  test("keeps nobody's single directives waiting while its events are written", async () => {
    const importing = await service.database.transaction().execute(async (holder) => {
      // As while its events are written: it waits with everything that it has locked so far.
      await sql`select from outbox_counters where lane = 'events' for update`.execute(holder);
      const running = service.import(operator, ["+14155550104"]);
      await until(async () => {
        const { rows } = await sql<{ waiting: number }>`
          select count(*)::int as waiting from pg_stat_activity
          where wait_event_type = 'Lock' and query like '%insert into outbox%'`.execute(service.database);
        return rows[0]?.waiting === 1;
      });
      expect(await service.issue(prosecutor, { number: "+14155550105" })).toMatchObject({
        state: "regional",
      });
      return { running };
    });
    expect((await importing.running).at(-1)).toMatchObject({ accepted: 1, done: true });
  });

  test("whose entries come in one message is read in turns, and written in statements of two megabytes", async () => {
    let turns = 0;
    let counting = setImmediate(function next() {
      turns += 1;
      counting = setImmediate(next);
    });
    const entries = Array.from({ length: 10_000 }, (_, index) => ({ index, number: numberAt(index) }));
    await collect(new EntryCollector(entries.length), entries);
    clearImmediate(counting);
    expect(turns).toBeGreaterThanOrEqual(9);

    const event = (lane: Lane, size: number): Outgoing => ({
      ...{ event: "", lane, type: "directives", weight: "bulk", bytes: new Uint8Array(size), atMs: 0 },
    });
    const megabytes = [...Array.from({ length: 25 }, () => event("events", 175_000)), event("urgent", 100)];
    const parts = statementsOf(megabytes).map(({ lane, part }) => `${part.length} ${lane}`);
    expect(parts).toEqual(["1 urgent", "11 events", "11 events", "3 events"]);
    const small = Array.from({ length: 120 }, () => event("events", 100));
    expect(statementsOf(small).map(({ part }) => part.length)).toEqual([50, 50, 20]);
  });

  test("in a trial counts everything and writes nothing", async () => {
    const before = await count();
    const [trial] = (await service.import(operator, ["+14155550100"], { dryRun: true })).slice(-1);
    expect(trial).toMatchObject({
      batch: "",
      accepted: 1,
      state: "held",
      missing: ["second-person"],
      done: true,
    });
    expect(await count()).toBe(before);
  });

  test("says at once what is wrong with its header", async () => {
    await expect(service.import(operator, ["+14155550101"], { basis: "none" })).rejects.toMatchObject({
      code: "unknown-basis",
    });
    await expect(service.import(operator, ["+14155550101"], { expiresAtMs: 1 })).rejects.toMatchObject({
      code: "invalid-expiry",
    });
    await expect(service.import(operator, ["+14155550101"], { action: "shout" })).rejects.toMatchObject({
      code: "unknown-value",
    });
  });

  test("of all complaint numbers of the FTC is one batch of what is a number", async () => {
    const folder = join(import.meta.dirname, "..", "data", "ftc-do-not-call-2021-04");
    const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
    const numbers = files
      .flatMap((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as string[])
      .map((number) => `+1${number}`);
    const last = (await service.import(operator, numbers)).at(-1);
    expect(last?.entries).toBe(91_448);
    expect(last?.done).toBe(true);
    const refused = numbers.filter((number) => !/^\+1\d{10}$/.test(number)).length;
    expect((last?.accepted ?? 0) + (last?.merged ?? 0)).toBe(91_448 - refused);
    expect(last?.accepted).toBe(new Set(numbers.filter((number) => /^\+1\d{10}$/.test(number))).size);
    await until(async () => (await service.batch(last?.batch ?? "")).directives === last?.accepted);
  });
});
