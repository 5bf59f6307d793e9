import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Alarms } from "#platform/alarms.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch } from "#proto/names.ts";
import { readiness, testLog, until } from "#test/replication/servers.ts";
import { Recovery } from "../../services/centre/recovery.ts";
import { Standing } from "../../services/centre/standing.ts";
import { verifyAudit } from "../../services/centre/store/audit.ts";
import { CentreService, databaseBackMs, prosecutor, region } from "./centre-service.ts";

/**
 * What a person was told is accepted is in the database, in the audit and in
 * the lane, once, whatever is killed meanwhile; what was not answered is there
 * once or not at all, and the same request gives the first answer.
 */
describe("while parts of the region are killed", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  let next = 0;
  const accepted = new Map<string, string>();

  /** Issues one directive as a patient client: the same request until it is answered. */
  async function issuePatiently(): Promise<void> {
    next += 1;
    const number = `+4420${String(70_000_000 + next)}`;
    const idempotencyKey = `key-${next}`;
    const endMs = Date.now() + databaseBackMs;
    for (;;) {
      try {
        const { id } = await service.issue(prosecutor, { number, idempotencyKey });
        accepted.set(number, id);
        return;
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : "";
        if (code !== "unavailable" && code !== "deadline-exceeded") throw error;
        if (Date.now() > endMs) throw error;
        await sleep(50);
      }
    }
  }

  async function underLoad(fault: () => Promise<void>): Promise<void> {
    const ended = new AbortController();
    const clients = Array.from({ length: 4 }, async () => {
      while (!ended.signal.aborted) {
        await issuePatiently();
        await sleep(10);
      }
    });
    await sleep(100);
    await fault();
    await sleep(300);
    ended.abort();
    await Promise.all(clients);
  }

  /** What the lane and the database hold, and what was answered: `<number> <directive>`, sorted. */
  async function found() {
    await until(async () => (await service.lane("urgent")).length >= accepted.size);
    const events = await service.lane("urgent");
    const inLane = events.flatMap(({ body }) =>
      body?.$case === "directives" ? body.value.directives.map(({ id, target }) => `${target} ${id}`) : [],
    );
    const rows = await service.database.selectFrom("directives").select(["target", "id"]).execute();
    return {
      outboxNumbersInOrder: events.every(({ outbox }, index) => outbox === index + 1),
      lane: inLane.toSorted(),
      database: rows.map(({ target, id }) => `${target} ${id}`).toSorted(),
      brokenAuditRow: (await verifyAudit(service.database)).firstBroken,
    };
  }

  function promised() {
    const all = [...accepted].map(([number, id]) => `${number} ${id}`).toSorted();
    return { outboxNumbersInOrder: true, lane: all, database: all, brokenAuditRow: undefined };
  }

  test("NATS: directives are accepted all the while, and come in the lane once it is back", async () => {
    await underLoad(async () => {
      await service.servers.regional.stop("SIGKILL");
      const before = accepted.size;
      await until(() => accepted.size >= before + 8);
      service.servers.regional.start();
    });
    expect(await found()).toEqual(promised());
  });

  test("PostgreSQL: the service stays up, says so, and goes on by itself", async () => {
    await underLoad(async () => {
      await service.postgres.stop("SIGKILL");
      await until(async () => !(await readiness(service.httpAddress)).ready);
      await sleep(300);
      service.postgres.start();
    });
    await until(async () => (await readiness(service.httpAddress)).ready, databaseBackMs);
    await issuePatiently();
    expect(await found()).toEqual(promised());
  });

  test("nothing at all: the minutely look at the lanes finds nothing to mend", async () => {
    const standing = new Standing(service.database);
    const recovery = new Recovery(service.database, region, standing, new Alarms(testLog), testLog);
    const connection = await service.servers.connect("centre");
    const signal = AbortSignal.timeout(120_000);
    const agreed: boolean[] = [];
    await underLoad(async () => {
      for (let look = 0; look < 5; look += 1) {
        const { lastOutbox } = await LaneProducer.open(connection, "urgent", firstEpoch, "centre", signal);
        agreed.push(await recovery.stillAgrees(connection, "urgent", firstEpoch, lastOutbox, signal));
      }
    });
    expect(agreed).toEqual([true, true, true, true, true]);
  });

  test("the centre itself", async () => {
    for (let kill = 0; kill < 3; kill += 1) {
      await underLoad(() => service.centre.killAndRestart());
    }
    await issuePatiently();
    expect(await found()).toEqual(promised());
  });
});
