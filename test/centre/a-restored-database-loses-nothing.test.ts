import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RemoteError } from "#platform/grpc-client.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { firstEpoch, regionStream, regionSubject } from "#proto/names.ts";
import { readAll, until } from "#test/replication/servers.ts";
import { verifyAudit } from "../../services/centre/store/audit.ts";
import {
  analyst,
  carrier,
  CentreService,
  dayMs,
  operator,
  prosecutor,
  secondOperator,
} from "./centre-service.ts";

/**
 * PostgreSQL is restored from an older copy, and people go on before the centre
 * has seen its lanes: what was acknowledged and left the centre is known again,
 * and what was entered afterwards is sent under numbers of its own.
 */
describe("a centre whose PostgreSQL came back as it was an hour ago", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  const numbers = Array.from({ length: 1_500 }, (_, index) => `+1212${5_550_000 + index}`);

  /** What a person sees of everything that was decided, however it is kept. */
  async function told(ids: { directives: readonly string[]; batch: string; intelligence: string }) {
    const views = await Promise.all(ids.directives.map((id) => service.view(id)));
    const batch = await service.batch(ids.batch);
    const [{ trunks }, piece] = await Promise.all([
      service.as(carrier, "listTrunks", {}),
      service.as(analyst, "getIntelligence", { id: ids.intelligence }),
    ]);
    return {
      directives: views.map(({ id, revision, state, missing, target, action, expiresAtMs, story }) => ({
        ...{ id, revision, state, missing, target, action, expiresAtMs },
        story: story.map(({ what, person, revision: of }) => `${what} ${person} ${of}`),
      })),
      batch: { state: batch.state, members: batch.directives, missing: batch.missing, author: batch.author },
      trunks,
      piece: piece.intelligence,
    };
  }

  /** Everything that this centre says in its urgent lane, by outbox number. */
  async function urgentNumbers(): Promise<number[]> {
    const messages = await readAll(service.line, regionStream.lane("urgent", firstEpoch));
    const own = regionSubject.laneOfProducer("urgent", firstEpoch, "centre").slice(0, -1);
    return messages
      .filter(({ subject }) => subject.startsWith(own))
      .map(({ data }) => Event.decode(data).outbox);
  }

  test("knows again what the lanes hold, and sends what was entered since", async () => {
    const kept = await service.issue(operator, { number: "+442071000001" });
    await service.as(carrier, "putTrunk", {
      ...{ trunk: "intl-1", direction: "international", operator: "", sbcAddress: "sbc.example.kz" },
    });
    await until(async () => (await service.lane("urgent")).length === 2);
    await service.settled();
    await service.copyDatabase("older");

    // What the copy does not have.
    const lost = await service.issue(operator, { number: "+442071000002" });
    const held = await service.issue(operator, {
      number: "+442071000003",
      expiresAtMs: Date.now() + 20 * dayMs,
    });
    await service.approve(prosecutor, { directive: held.id });
    const withdrawn = await service.issue(operator, { number: "+442071000004" });
    await service.as(operator, "revokeDirective", { id: withdrawn.id, reason: "mistake" });
    await service.as(operator, "revokeDirective", { id: kept.id, reason: "mistake" });
    const batch = (await service.import(operator, numbers)).at(-1)?.batch ?? "";
    await service.approve(prosecutor, { batch });
    await service.as(carrier, "setTrunkMode", { trunk: "intl-1", mode: "mark", percent: 0 });
    const piece = await service.as(analyst, "addIntelligence", {
      ...{ kind: "number", fieldsJson: JSON.stringify({ number: "+442071000002" }), audience: "all" },
      ...{ tlp: "amber", confidence: 70, source: "operator", validUntilMs: Date.now() + dayMs },
      ...{ releasedWording: "", note: "seen twice", idempotencyKey: "" },
    });
    const ids = {
      directives: [kept.id, lost.id, held.id, withdrawn.id],
      batch,
      intelligence: piece.intelligence?.id ?? "",
    };
    await until(async () => (await service.lane("urgent")).length === 10);
    await until(async () => (await service.lane("events")).length === 3);
    const before = await told(ids);

    // Restored while the server is away, so that people write under numbers that the lane has seen.
    await service.servers.regional.stop("SIGKILL");
    await service.restoreDatabase("older");
    expect((await service.view(kept.id)).state).toBe("regional");
    await expect(service.view(lost.id)).rejects.toMatchObject({ code: "unavailable" });
    const fresh = await service.issue(secondOperator, { number: "+442071000005" });
    const extended = await service.as(operator, "extendDirective", {
      ...{ id: kept.id, expiresAtMs: Date.now() + 3 * dayMs, reason: "fraud" },
    });
    expect(extended.revision).toBe(2);
    service.servers.regional.start();
    await until(async () => (await service.lane("urgent")).length === 12);

    const after = await told(ids);
    // The withdrawal that the lane holds counts, and what was entered against it comes after it.
    expect(after.directives[0]).toMatchObject({ id: kept.id, revision: 3, state: "revoked" });
    expect({ ...after, directives: after.directives.slice(1) }).toEqual({
      ...before,
      directives: before.directives.slice(1),
    });
    expect((await service.view(fresh.id)).state).toBe("regional");
    expect(await urgentNumbers()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect((await verifyAudit(service.database)).firstBroken).toBeUndefined();
    const recovered = await service.database
      .selectFrom("audit")
      .select("detail")
      .where("what", "=", "recovered")
      .execute();
    expect(recovered.map(({ detail }) => JSON.parse(detail) as unknown)).toEqual([
      {
        urgent: { takenBack: [3, 4, 5, 6, 7, 8, 9, 10], sentAnew: 2, counter: 12 },
        events: { takenBack: [1, 2, 3], sentAnew: 0, counter: 3 },
      },
    ]);
    await until(async () => (await service.alarmsSaid()).includes("database-behind urgent"));
  });

  test("is as it was after one more restart: nothing is taken back or sent twice", async () => {
    const before = await urgentNumbers();
    await service.centre.killAndRestart();
    let next = "";
    await until(async () => {
      next = (await service.issue(operator, { number: "+442071000006", idempotencyKey: "after" })).id;
      return true;
    });
    await until(async () => (await service.lane("urgent")).length === before.length + 1);
    expect(await urgentNumbers()).toEqual([...before, (before.at(-1) ?? 0) + 1]);
    expect((await service.view(next)).state).toBe("regional");
    const audited = await service.database
      .selectFrom("audit")
      .select("number")
      .where("what", "=", "recovered")
      .execute();
    expect(audited).toHaveLength(1);
  });

  test("refuses nothing for good before it has taken back what its database lost", async () => {
    await expect(service.view("astana-01K")).rejects.toMatchObject({ code: "not-found" });
    const { id } = await service.issue(operator, { number: "+442071000007" });
    await service.settled();
    // The server stays: nothing tells the centre but the database itself.
    await service.restoreDatabase("older");
    const refused = new Set<string>();
    await until(async () => {
      try {
        return (await service.as(operator, "revokeDirective", { id, reason: "mistake" })).state === "revoked";
      } catch (error) {
        refused.add(error instanceof RemoteError ? error.code : String(error));
        return false;
      }
    });
    // It may be done before it was asked.
    refused.delete("unavailable");
    expect([...refused]).toEqual([]);
    await expect(service.view("astana-01K")).rejects.toMatchObject({ code: "unavailable" });
  });
});
