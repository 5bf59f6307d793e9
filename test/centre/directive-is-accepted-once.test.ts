import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { verifyAudit } from "../../services/centre/store/audit.ts";
import {
  analyst,
  CentreService,
  dayMs,
  hourMs,
  operator,
  prosecutor,
  secondOperator,
  stranger,
} from "./centre-service.ts";

describe("the centre of a region", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  const rowsOf = async (id: string) =>
    service.database.selectFrom("directives").selectAll().where("id", "=", id).orderBy("revision").execute();

  test("accepts a directive with its audit line, and its event comes in URGENT once", async () => {
    const view = await service.issue(operator, { number: "8 (10) 44 20 7946 0001" });
    expect(view).toMatchObject({
      revision: 1,
      scope: "nation",
      state: "regional",
      target: "+442079460001",
      missing: [],
      author: operator.id,
      nationalRevision: 0,
      settled: false,
      receipts: [{ region: "astana", state: "waiting", enforcedAtMs: 0, milliseconds: -1 }],
    });
    expect(view.story).toMatchObject([{ what: "accepted", person: operator.id }]);
    const audit = await service.database
      .selectFrom("audit")
      .selectAll()
      .where("subject", "=", view.id)
      .execute();
    expect(audit).toMatchObject([{ what: "directive-accepted", person: operator.id }]);
    await until(async () => (await service.lane("urgent")).length === 1);
    expect(await service.lane("urgent")).toMatchObject([
      {
        outbox: 1,
        body: { $case: "directives", value: { directives: [{ id: view.id, revision: 1, action: "block" }] } },
      },
    ]);
  });

  test("answers a repeated idempotency key with the first directive, and another request under it with a conflict", async () => {
    const idempotencyKey = "key-1";
    const first = await service.issue(operator, { number: "+442079460002", idempotencyKey });
    const again = await Promise.all(
      [1, 2, 3].map(() => service.issue(operator, { number: "+442079460002", idempotencyKey })),
    );
    expect(again.map(({ id }) => id)).toEqual([first.id, first.id, first.id]);
    await expect(service.issue(operator, { number: "+442079460003", idempotencyKey })).rejects.toMatchObject({
      code: "conflict",
      field: "idempotency_key",
    });
    const other = await service.issue(secondOperator, { number: "+442079460002", idempotencyKey });
    expect(other.id).not.toBe(first.id);
  });

  test("takes the widest scope that the person may decide alone", async () => {
    const foreign = await service.issue(operator, { number: "+442079460004" });
    expect(foreign.scope).toBe("nation");
    const kazakh = await service.issue(operator, {
      number: "+77011234567",
      action: "warn",
      expiresAtMs: Date.now() + 23 * hourMs,
    });
    expect(kazakh).toMatchObject({ scope: "region", state: "regional" });
    const long = await service.issue(operator, {
      number: "+77011234568",
      action: "warn",
      expiresAtMs: Date.now() + 3 * dayMs,
    });
    expect(long).toMatchObject({ scope: "nation", state: "held", settled: true });
    expect(long.missing).toContain("second-person");
  });

  test("checks everything in a trial and writes nothing", async () => {
    const before = await service.database.selectFrom("audit_head").select("number").executeTakeFirstOrThrow();
    const trial = await service.issue(operator, { number: "+442079460005", dryRun: true });
    expect(trial).toMatchObject({ id: "", state: "regional", target: "+442079460005" });
    await expect(service.issue(operator, { number: "letters", dryRun: true })).rejects.toMatchObject({
      code: "invalid-number",
      field: "number",
      value: "letters",
    });
    const rows = await service.database
      .selectFrom("directives")
      .select("id")
      .where("target", "=", "+442079460005")
      .execute();
    expect(rows).toEqual([]);
    const after = await service.database.selectFrom("audit_head").select("number").executeTakeFirstOrThrow();
    expect(after).toEqual(before);
  });

  test.each([
    ["a number with letters", { number: "+7701ABC4567" }, { code: "invalid-number", field: "number" }],
    [
      "a range from high to low",
      { range: "+442079460009-+442079460001" },
      { code: "invalid-range", field: "range" },
    ],
    [
      "an end in the past",
      { number: "+442079460006", expiresAtMs: 1 },
      { code: "invalid-expiry", field: "expires" },
    ],
    [
      "an unknown action",
      { number: "+442079460006", action: "explode" },
      { code: "unknown-value", field: "action" },
    ],
    [
      "an unknown basis",
      { number: "+442079460006", basis: "none" },
      { code: "unknown-basis", field: "basis" },
    ],
    [
      "an unknown scope",
      { number: "+442079460006", scope: "world" },
      { code: "unknown-value", field: "scope" },
    ],
    [
      "an endless key",
      { number: "+442079460006", idempotencyKey: "x".repeat(200) },
      { code: "too-long", field: "idempotency_key" },
    ],
  ])("refuses %s with field, value and remedy", async (_name, asked, expected) => {
    await expect(service.issue(operator, asked)).rejects.toMatchObject(expected);
    await expect(service.issue(operator, asked)).rejects.toHaveProperty(
      "remedy",
      expect.stringMatching(/\S/),
    );
  });

  test("gives a token of another region no power here", async () => {
    await expect(service.issue(stranger, { number: "+442079460007" })).rejects.toMatchObject({
      code: "forbidden",
    });
    await expect(service.as(stranger, "getDirective", { id: "astana-1" })).rejects.toMatchObject({
      code: "forbidden",
      field: "authorization.region",
    });
  });

  test("lets powers hold what an analyst issues until a prosecutor approves", async () => {
    const held = await service.issue(analyst, { number: "+442079460008" });
    expect(held).toMatchObject({ state: "held", missing: ["second-person"], receipts: [], settled: true });
    const { directive } = await service.approve(prosecutor, { directive: held.id });
    expect(directive).toMatchObject({ state: "regional", missing: [] });
  });

  test("refuses a protected number on its own trunk, from its own copy of the national table", async () => {
    await service.national({
      rows: [
        {
          row: {
            $case: "protectedNumber",
            value: { number: "+77172000100", originatesFrom: ["dom-1"], holder: "Sample Bank", revision: 1 },
          },
        },
      ],
    });
    const asked = { number: "+77172000100", action: "warn", expiresAtMs: Date.now() + hourMs };
    await until(() =>
      service.issue(operator, { ...asked, dryRun: true }).then(
        () => false,
        () => true,
      ),
    );
    await expect(service.issue(operator, asked)).rejects.toMatchObject({
      code: "failed-precondition",
      field: "target",
    });
    await service.national({ rows: [{ row: { $case: "removed", value: "protected|+77172000100" } }] });
    await until(async () => (await service.issue(operator, { ...asked, dryRun: true })).state === "regional");
  });

  test("extends and revokes by new revisions, and a repeated command changes nothing", async () => {
    const issued = await service.issue(operator, { number: "+442079460010" });
    const expiresAtMs = Date.now() + 3 * dayMs;
    const extended = await service.as(operator, "extendDirective", { id: issued.id, expiresAtMs });
    expect(extended).toMatchObject({ revision: 2, state: "regional", expiresAtMs });
    expect(await service.as(operator, "extendDirective", { id: issued.id, expiresAtMs })).toMatchObject({
      revision: 2,
    });
    await expect(
      service.as(secondOperator, "revokeDirective", { id: issued.id, reason: "mistake" }),
    ).rejects.toMatchObject({ code: "forbidden" });
    const revoked = await service.as(operator, "revokeDirective", { id: issued.id, reason: "mistake" });
    expect(revoked).toMatchObject({ revision: 3, state: "revoked" });
    expect(
      await service.as(prosecutor, "revokeDirective", { id: issued.id, reason: "mistake" }),
    ).toMatchObject({
      revision: 3,
    });
    expect(revoked.story.map(({ what }) => what)).toEqual(["accepted", "extended", "revoked"]);
    expect((await rowsOf(issued.id)).map(({ revision, latest }) => [revision, latest])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
  });

  test("goes from the term of the author's first directive on a target, not of the latest", async () => {
    const number = "+442079460011";
    const issued = await service.issue(operator, { number, expiresAtMs: Date.now() + 6 * dayMs });
    await service.database
      .updateTable("directives")
      .set({ accepted_at_ms: Date.now() - 3 * dayMs, term_from_ms: Date.now() - 3 * dayMs })
      .where("id", "=", issued.id)
      .execute();
    const again = await service.issue(operator, { number, expiresAtMs: Date.now() + 6 * dayMs });
    expect(again).toMatchObject({ state: "held", missing: ["second-person"] });
  });

  test("lists its directives by state, newest first", async () => {
    const held = await service.all<{ state: string }>(
      (metadata) => service.client.listDirectives({ state: "held", batch: "", limit: 0 }, metadata),
      operator,
    );
    expect(held.length).toBeGreaterThan(0);
    expect(new Set(held.map(({ state }) => state))).toEqual(new Set(["held"]));
    const two = await service.all<{ id: string }>(
      (metadata) => service.client.listDirectives({ state: "", batch: "", limit: 2 }, metadata),
      operator,
    );
    expect(two.length).toBe(2);
    expect([...two].toSorted((left, right) => (left.id < right.id ? 1 : -1))).toEqual(two);
  });

  test("keeps an audit whose chain shows any change", async () => {
    const { rows, firstBroken } = await verifyAudit(service.database);
    expect(rows).toBeGreaterThan(10);
    expect(firstBroken).toBeUndefined();
    await expect(
      service.database.updateTable("audit").set({ person: "somebody" }).where("number", "=", 3).execute(),
    ).rejects.toThrow(/append-only/);
    await expect(service.database.deleteFrom("audit").execute()).rejects.toThrow(/append-only/);
  });
});
