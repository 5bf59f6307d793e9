import { afterAll, beforeAll, expect, test } from "vitest";
import { Approval, Directive, Event } from "#proto/qalqan/events/v1/events.ts";
import type { CentreDatabase } from "../../services/centre/store/schema.ts";
import { takeBack, type TakenBack } from "../../services/centre/store/take-back.ts";
import { inTransaction } from "../../services/centre/store/transaction.ts";
import { startCentreDatabase } from "./centre-database.ts";

let started: Awaited<ReturnType<typeof startCentreDatabase>>;
let database: CentreDatabase;
/** Statements that were sent. */
let statements = 0;

beforeAll(async () => {
  started = await startCentreDatabase();
  database = started.database.withPlugin({
    transformQuery: ({ node }) => {
      statements += 1;
      return node;
    },
    transformResult: async ({ result }) => result,
  });
});
afterAll(() => started.close());

const region = "astana";
const longTerm = 40 * 24 * 3_600_000;
let number = 0;

function taken(body: NonNullable<Event["body"]>): TakenBack {
  number += 1;
  const event = Event.fromPartial({ atMs: 1_000 + number, body });
  const bytes = Event.encode(event).finish();
  return { lane: "urgent", number, epoch: 1, sequence: number, event, bytes };
}

function directive(id: number, change: Partial<Directive> = {}): Directive {
  return Directive.fromPartial({
    ...{ id: `${region}-${id}`, revision: 1, target: `+1212555${1_000 + id}`, action: "block" },
    ...{
      scope: "nation",
      basis: "communications-law-41-1",
      reason: "fraud",
      author: "op-1",
      authorRole: "operator",
    },
    ...{ acceptedAtMs: 1_000, termFromMs: 1_000, expiresAtMs: 1_000 + 3_600_000, evidence: ["a", "b, {c}"] },
    ...change,
  });
}

const said = (...directives: Directive[]) => taken({ $case: "directives", value: { directives } });
const approved = (change: Partial<Approval>) =>
  taken({
    $case: "approval",
    value: Approval.fromPartial({
      ...{ revision: 1, person: "pr-1", role: "regional-prosecutor", region, kind: "second-person" },
      ...{ approved: true, complete: true, atMs: 2_000, ...change },
    }),
  });

const back = (...events: readonly TakenBack[]) =>
  inTransaction(database, (transaction) => takeBack(transaction, region, events));

test("directives and approvals come back with few statements, however many they are", async () => {
  const events = Array.from({ length: 2_500 }, (_, index) => [
    said(directive(index, { missing: ["second-person"], expiresAtMs: 1_000 + longTerm })),
    approved({ directive: `${region}-${index}` }),
  ]);
  statements = 0;
  await back(...events.flat());
  expect(statements).toBeLessThan(60);
  const rows = await database.selectFrom("directives").selectAll().where("latest", "=", true).execute();
  expect(rows).toHaveLength(2_500);
  const keys = new Set((await database.selectFrom("outbox").selectAll().execute()).map(({ event }) => event));
  expect(keys.size).toBe(5_000);
  for (const { missing, evidence, effect_event: effect, event } of rows) {
    expect({ missing, evidence }).toEqual({ missing: [], evidence: ["a", "b, {c}"] });
    // It took effect with its approval.
    expect(effect !== event && keys.has(effect ?? "")).toBe(true);
  }
});

test("of revisions that come back in any order the highest is the latest, and a withdrawal counts whichever history has it", async () => {
  const id = `${region}-9000`;
  const withdrawn = { revoked: true, revokedBy: "pr-2" };
  await back(
    said(directive(9_000, { revision: 3 })),
    said(directive(9_000)),
    said(directive(9_000, { revision: 3, ...withdrawn })),
    approved({ directive: id, approved: false, complete: false, revision: 3 }),
    approved({ directive: id, approved: false, complete: false, revision: 3 }),
  );
  await back(said(directive(9_000, { revision: 2 })));
  const rows = await database
    .selectFrom("directives")
    .select(["revision", "latest", "revoked", "revoked_by", "refused"])
    .where("id", "=", id)
    .orderBy("revision")
    .execute();
  const open = { latest: false, revoked: false, revoked_by: "", refused: false };
  const last = { latest: true, revoked: true, revoked_by: "pr-2", refused: true };
  expect(rows).toEqual([
    { revision: 1, ...open },
    { revision: 2, ...open },
    { revision: 3, ...last },
  ]);
  const approvals = database.selectFrom("approvals").selectAll().where("directive", "=", id);
  expect(await approvals.execute()).toHaveLength(1);
});

test("a batch whose members come back in two recoveries needs what all of them need", async () => {
  const batch = `${region}-batch`;
  const member = (id: number, change: Partial<Directive>) =>
    directive(id, { batch, evidence: [], ...change });
  const row = () => database.selectFrom("batches").selectAll().where("id", "=", batch).executeTakeFirst();
  await back(said(member(9_100, {}), member(9_101, {})));
  expect(await row()).toMatchObject({ accepted: 2, missing: ["second-person"], effect_event: null });
  await back(approved({ batch, complete: false }), said(member(9_102, { target: "+77012345678" })));
  expect(await row()).toMatchObject({ accepted: 3, entries: 3, effect_event: null });
  expect((await row())?.missing).toContain("carrier");
  await back(approved({ batch, person: "ca-1", role: "carrier", kind: "carrier", complete: true }));
  expect(await row()).toMatchObject({ accepted: 3, missing: [] });
  expect((await row())?.effect_event).not.toBeNull();
});
