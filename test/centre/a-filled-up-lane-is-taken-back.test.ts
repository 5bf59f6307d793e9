import { ulid } from "ulid";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Overlay } from "#domain/overlay.ts";
import { Alarms } from "#platform/alarms.ts";
import { appendAt } from "#platform/append.ts";
import type { CopiedMessage } from "#platform/batch-get.ts";
import { sql } from "#platform/database.ts";
import { read } from "#platform/grpc-client.ts";
import { firstEpoch, refeedToken, regionStream, regionSubject, type Lane } from "#proto/names.ts";
import type { OverlayHeader, OverlayPart } from "#proto/qalqan/centre/v1/centre.ts";
import { Event, type TrunkSet } from "#proto/qalqan/events/v1/events.ts";
import { appendPatiently, lastOf, readAll, testLog, until } from "#test/replication/servers.ts";
import { Recovery } from "../../services/centre/recovery.ts";
import { Standing } from "../../services/centre/standing.ts";
import { latestRevision, opinionOf } from "../../services/centre/store/directives.ts";
import { withOutboxNumber } from "../../services/centre/store/outbox.ts";
import { takeBack } from "../../services/centre/store/take-back.ts";
import { CentreService, dayMs, operator, prosecutor, region } from "./centre-service.ts";

/**
 * The region's database and its NATS store both come back from an older copy,
 * and agree. Then replication fills the lanes up from the hub, in the same
 * epoch, while the centre serves people and screening.
 */
describe("a centre whose lanes are filled up with what its database lacks", () => {
  const blocked = "+442071000002";
  const members = ["+12125550001", "+12125550002"];
  let service: CentreService;
  let batch = "";
  let decided = "";
  let lost: Record<Lane, readonly CopiedMessage[]>;

  beforeAll(async () => {
    service = await CentreService.start();
    await service.issue(operator, { number: "+442071000001" });
    await service.settled();
    const restoreStore = await service.servers.keepStore("region");
    await service.copyDatabase("older");
    // The server was started again for its copy.
    await until(async () => (await own("urgent")).length > 0);
    const ends = { urgent: (await own("urgent")).length, events: (await own("events")).length };

    await service.issue(operator, { number: blocked });
    decided = (await service.issue(operator, { number: "+442071000003" })).id;
    batch = (await service.import(operator, members)).at(-1)?.batch ?? "";
    await service.approve(prosecutor, { batch });
    await service.as(operator, "revokeBatch", { batch, reason: "mistake" });
    await service.settled();
    lost = {
      urgent: (await own("urgent")).slice(ends.urgent),
      events: (await own("events")).slice(ends.events),
    };
    await service.centre.stop("SIGKILL");
    await restoreStore();
    await service.postgres.stop("SIGKILL");
    service.centre.start();
    await service.restoreDatabase("older");
    await until(async () => (await ask()).header.urgentSequence === ends.urgent);
  });
  afterAll(() => service.stop());

  async function own(lane: Lane): Promise<readonly CopiedMessage[]> {
    const messages = await readAll(service.line, regionStream.lane(lane, firstEpoch));
    return messages.filter(({ subject }) => subject.includes(".centre."));
  }

  /** As replication: the hub's messages after the end of the lane. @returns the lane's end */
  async function fillUp(lane: Lane): Promise<number> {
    for (const { subject, data } of lost[lane]) {
      await until(async () => {
        const end = await lastOf(service.line, regionStream.lane(lane, firstEpoch));
        await appendAt(service.line, subject, end + 1, data);
        return true;
      });
    }
    return lastOf(service.line, regionStream.lane(lane, firstEpoch));
  }

  async function ask(): Promise<{ header: OverlayHeader; events: Event[] }> {
    const client = await service.clientOf(`screening.${region}`);
    let header: OverlayHeader | undefined;
    const events: Event[] = [];
    try {
      for await (const { part } of read<OverlayPart>(client.getOverlay({}))) {
        if (part?.$case === "header") header = part.value;
        if (part?.$case === "event") events.push(part.value);
      }
    } finally {
      client.close();
    }
    if (header === undefined) throw new Error("an overlay begins with its header");
    return { header, events };
  }

  /** What the first overlay enforces that claims to be true for the end of a lane. */
  async function enforcedFrom(lane: Lane, end: number): Promise<string[]> {
    let answer: Awaited<ReturnType<typeof ask>> | undefined;
    await until(async () => {
      answer = await ask();
      const { urgentSequence, eventsSequence } = answer.header;
      return (lane === "urgent" ? urgentSequence : eventsSequence) >= end;
    });
    const overlay = new Overlay(region);
    for (const event of answer?.events ?? []) overlay.applyEvent(event, { lane, sequence: 0 });
    return [...overlay.enforcedAt(Date.now())].map(({ target }) => target);
  }

  test("keeps what the nation decides on a directive that it does not know yet", async () => {
    const sequence = await service.decide([{ directive: decided, decision: "accepted" }]);
    await until(async () => {
      const rows = await service.database.selectFrom("inbox").selectAll().execute();
      return rows.some(({ stream, sequence: applied }) => stream === "NATIONAL" && applied === sequence);
    });
    await expect(service.view(decided)).rejects.toThrow(decided);
  });

  test("claims no sequence in an overlay whose event its database does not hold", async () => {
    const end = await fillUp("urgent");
    expect(await enforcedFrom("urgent", end)).toEqual(["+442071000001", blocked]);
    expect((await service.view(decided)).state).toBe("national");
  });

  test("sees by itself that a lane holds what its database lacks", async () => {
    const recovery = new Recovery(
      service.database,
      region,
      new Standing(service.database),
      new Alarms(testLog),
      testLog,
    );
    const connection = await service.servers.connect("centre");
    const signal = AbortSignal.timeout(120_000);
    const agrees = () => recovery.stillAgrees(connection, "events", firstEpoch, 0, signal);
    expect(await agrees()).toBe(true);
    await fillUp("events");
    expect(await agrees()).toBe(false);
  });

  test("keeps a batch revoked whose revocation it took back before the members", async () => {
    const end = await lastOf(service.line, regionStream.lane("events", firstEpoch));
    expect(await enforcedFrom("events", end)).toHaveLength(2);
    expect(await service.batch(batch)).toMatchObject({ state: "revoked", directives: members.length });
  });

  test("takes back what was fed into a lane before rows that are noted already", async () => {
    const fed = "+442071000009";
    const known = await service.issue(operator, { number: "+442071000008" });
    const row = await latestRevision(service.database, known.id);
    if (row === undefined) throw new Error("a directive that was issued is not there");
    const directive = { ...opinionOf(row), id: `${region}-${ulid()}`, target: fed };
    const bytes = Event.encode(
      Event.fromPartial({ body: { $case: "directives", value: { directives: [directive] } } }),
    ).finish();
    await service.settled();
    const subject = regionSubject.inLane("urgent", firstEpoch, `${refeedToken}.centre.directives`);
    const end = await lastOf(service.line, regionStream.lane("urgent", firstEpoch));
    await appendPatiently(service.line, subject, end + 1, withOutboxNumber(bytes, 5_000));
    await service.issue(operator, { number: "+442071000010" });
    await service.settled();
    expect(await enforcedFrom("urgent", end + 2)).toContain(fed);
  });

  test("counts a withdrawal where two histories gave one revision to two things", async () => {
    const { id } = await service.issue(operator, { number: "+442071000004" });
    const extended = await service.as(operator, "extendDirective", {
      ...{ id, expiresAtMs: Date.now() + 3 * dayMs, reason: "fraud" },
    });
    expect(extended).toMatchObject({ revision: 2, state: "regional" });
    const row = await latestRevision(service.database, id);
    if (row === undefined) throw new Error("an extended directive is not there");
    const withdrawn = { ...opinionOf(row), revoked: true, revokedBy: prosecutor.id };
    const event = Event.fromPartial({
      body: { $case: "directives", value: { directives: [withdrawn] } },
    });
    const place = { lane: "urgent", number: 1_000, epoch: firstEpoch, sequence: 1_000 } as const;
    const bytes = Event.encode(event).finish();
    await service.database
      .transaction()
      .execute((transaction) => takeBack(transaction, region, [{ ...place, event, bytes }]));
    expect(await service.view(id)).toMatchObject({ revision: 2, state: "revoked" });
  });

  test("counts what does less to calls where two histories gave one revision of a switch or a trunk to two things", async () => {
    const set = { trunk: "intl-9", direction: "international", operator: "kt", sbcAddress: "", revision: 7 };
    const acting = { ...set, mode: "enforce", percent: 100 };
    const idle = { ...set, mode: "shadow", percent: 100 };
    const stop = (stopped: boolean) => ({ revision: 7, stopped, person: "p", carrier: "kt" });
    let number = 1_100;
    const taken = async (value: TrunkSet, stopped: boolean) => {
      const bodies = [
        { $case: "trunkSet", value },
        { $case: "regionStop", value: stop(stopped) },
      ] as const;
      const back = bodies.map((body) => {
        const event = Event.fromPartial({ body });
        const place = { lane: "urgent", epoch: firstEpoch } as const;
        number += 1;
        return { ...place, number, sequence: number, event, bytes: Event.encode(event).finish() };
      });
      await service.database.transaction().execute((transaction) => takeBack(transaction, region, back));
      const trunk = await service.database
        .selectFrom("trunks")
        .select("mode")
        .where("trunk", "=", "intl-9")
        .executeTakeFirst();
      const found = await service.database
        .selectFrom("stops")
        .select("stopped")
        .where("carrier", "=", "kt")
        .executeTakeFirst();
      return [trunk?.mode, found?.stopped];
    };
    expect(await taken(acting, false)).toEqual(["enforce", false]);
    expect(await taken(idle, true)).toEqual(["shadow", true]);
    expect(await taken(acting, false)).toEqual(["shadow", true]);
  });

  test("takes what the nation decided on another history's revision for no later word than the last", async () => {
    const { id } = await service.issue(operator, { number: "+442071000005" });
    const first = await latestRevision(service.database, id);
    if (first === undefined) throw new Error("an issued directive is not there");
    const decide = (decision: string) => service.decide([{ directive: id, revision: 2, decision }]);
    const decision = async () => (await latestRevision(service.database, id))?.decision;
    const ahead = await decide("accepted");
    await until(async () => {
      const rows = await service.database.selectFrom("inbox").selectAll().execute();
      return rows.some(({ stream, sequence }) => stream === "NATIONAL" && sequence >= ahead);
    });
    await service.as(operator, "extendDirective", {
      ...{ id, expiresAtMs: Date.now() + 3 * dayMs, reason: "fraud" },
    });
    await decide("rejected");
    await until(async () => (await decision()) === "rejected");
    const event = Event.fromPartial({
      body: { $case: "directives", value: { directives: [opinionOf(first)] } },
    });
    const place = { lane: "urgent", number: 1_001, epoch: firstEpoch, sequence: 1_001 } as const;
    const bytes = Event.encode(event).finish();
    await service.database
      .transaction()
      .execute((transaction) => takeBack(transaction, region, [{ ...place, event, bytes }]));
    expect(await decision()).toBe("rejected");
  });

  test("keeps what was withdrawn in the nation before the piece itself was back", async () => {
    const id = `${region}-${ulid()}`;
    const sequence = await service.national({
      intelligenceWithdrawn: [{ id, revision: 2, audience: "all", atMs: Date.now() }],
    });
    await until(async () => {
      const rows = await service.database.selectFrom("inbox").selectAll().execute();
      return rows.some(({ stream, sequence: applied }) => stream === "NATIONAL" && applied === sequence);
    });
    const piece = { id, revision: 1, kind: "number", audience: "all", author: operator.id, fieldsJson: "{}" };
    const event = Event.fromPartial({
      body: { $case: "intelligence", value: { intelligence: piece } },
    });
    const place = { lane: "events", number: 2_000, epoch: firstEpoch, sequence: 2_000 } as const;
    const bytes = Event.encode(event).finish();
    await service.database
      .transaction()
      .execute((transaction) => takeBack(transaction, region, [{ ...place, event, bytes }]));
    expect(await service.as(operator, "getIntelligence", { id })).toMatchObject({
      withdrawn: true,
      intelligence: { kind: "number", author: operator.id, revision: 2 },
    });
  });

  test("asks the lanes for nothing while it keeps commands from committing", async () => {
    const { id: known } = await service.issue(operator, { number: "+442071000011" });
    const row = await latestRevision(service.database, known);
    if (row === undefined) throw new Error("a directive that was issued is not there");
    await service.settled();
    await service.centre.stop("SIGKILL");
    // What was taken back above was in no lane.
    await service.database.deleteFrom("outbox").where("number", "in", [1_000, 2_000]).execute();
    const directive = { ...opinionOf(row), id: `${region}-${ulid()}` };
    const number = 9_000;
    const bytes = Event.encode(
      Event.fromPartial({ body: { $case: "directives", value: { directives: [directive] } } }),
    ).finish();
    const subject = regionSubject.lane("urgent", firstEpoch, "centre", "directives");
    const end = await lastOf(service.line, regionStream.lane("urgent", firstEpoch));
    await appendPatiently(service.line, subject, end + 1, withOutboxNumber(bytes, number));

    const free: boolean[] = [];
    const connection = new Proxy(await service.servers.connect("centre"), {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name !== "request") return value.bind(target);
        return async (...asked: Parameters<typeof target.request>) => {
          const { rows } = await sql`
            select from pg_locks where relation = 'outbox_counters'::regclass`.execute(service.database);
          free.push(rows.length === 0);
          return target.request(...asked);
        };
      },
    });
    const standing = new Standing(service.database);
    const recovery = new Recovery(service.database, region, standing, new Alarms(testLog), testLog);
    const numbers = { urgent: number, events: 0 };
    await recovery.reconcile(connection, firstEpoch, numbers, AbortSignal.timeout(120_000));
    expect(await latestRevision(service.database, directive.id)).toMatchObject({ revision: 1 });
    expect(free).not.toContain(false);
  });
});
