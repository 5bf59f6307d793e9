import { createHash } from "node:crypto";
import { ulid } from "ulid";
import { decideIssue } from "#domain/directive.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { Refusal } from "#domain/refusal.ts";
import { targetFrom, targetKey, type Target } from "#domain/target.ts";
import { parseAction, parseScope, type Action, type Person, type Scope } from "#domain/vocabulary.ts";
import type { DirectiveView, IssueDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre, Effects } from "../centre.ts";
import { idCharactersMax } from "../config.ts";
import { directiveView } from "../domain/directive-view.ts";
import { insertDirective, newRow, readFacts } from "../store/directives.ts";
import { newEventKey } from "../store/outbox.ts";
import type { CentreTransaction } from "../store/schema.ts";
import { lock } from "../store/transaction.ts";
import { viewOf } from "../store/views.ts";
import { requireHere, writers } from "./people.ts";

interface Wanted {
  readonly target: Target;
  readonly action: Action;
  readonly scope: Scope | undefined;
  readonly request: IssueDirectiveRequest;
}

/** Either the directive is new, or the idempotency key stands for an earlier one. */
type Issued = { readonly view: DirectiveView } | { readonly earlier: string };

/**
 * Accepts a directive in one transaction with audit and outbox.
 *
 * @throws InvalidInput for a field that cannot be understood
 * @throws Refusal `forbidden` by powers, `failed-precondition` for a protected number, `conflict` for an
 *   idempotency key that stands for something else, `unavailable`
 */
export async function issueDirective(
  centre: Centre,
  request: IssueDirectiveRequest,
  person: Person,
): Promise<DirectiveView> {
  requireHere(person, centre.region, writers);
  const wanted = readRequest(request);
  const issued = request.dryRun
    ? await tryOut(centre, wanted, person)
    : await centre.accept((transaction) => issue(centre, transaction, wanted, person));
  if ("view" in issued) return issued.view;
  const view = await viewOf(centre.database, issued.earlier, centre.moment());
  if (view === undefined) throw new Error("an idempotency key names a directive that is not there");
  return view;
}

function readRequest(request: IssueDirectiveRequest): Wanted {
  for (const [field, value] of [
    ["idempotency_key", request.idempotencyKey],
    ...request.evidence.map((id) => ["evidence", id]),
  ] as [string, string][]) {
    if (value.length > idCharactersMax) {
      const remedy = `Give at most ${idCharactersMax} characters.`;
      throw new InvalidInput({ code: "too-long", field, value, message: "is too long", remedy });
    }
  }
  return {
    target: targetFrom(request),
    action: parseAction("action", request.action),
    scope: request.scope === "" ? undefined : parseScope("scope", request.scope),
    request,
  };
}

async function issue(
  centre: Centre,
  transaction: CentreTransaction,
  wanted: Wanted,
  person: Person,
): Promise<Effects<Issued>> {
  // By author: limits and terms are counted per author, so two of one author never pass side by side.
  await lock(transaction, [`author:${person.id}`]);
  const nowMs = Date.now();
  const { request } = wanted;
  const target = targetKey(wanted.target);
  const facts = await readFacts(transaction, {
    author: person.id,
    target,
    action: wanted.action,
    numbers: "number" in wanted.target ? [wanted.target.number] : [],
    idempotencyKey: request.idempotencyKey,
    nowMs,
  });
  const fingerprint = fingerprintOf(target, request);
  if (request.idempotencyKey !== "" && facts.known !== undefined) {
    if (facts.known.fingerprint !== fingerprint) throw otherRequest(request.idempotencyKey);
    return { result: { earlier: facts.known.subject }, audit: [], events: [], atMs: nowMs };
  }
  const outcome = decideIssue(
    {
      id: `${centre.region}-${ulid(nowMs)}`,
      target: wanted.target,
      action: wanted.action,
      scope: wanted.scope,
      basis: request.basis,
      reason: request.reason,
      expiresAtMs: request.expiresAtMs,
      overrideRevision: request.overrideRevision,
      evidence: request.evidence,
      falseStopOf: request.falseStopOf,
      batch: "",
    },
    { nowMs, region: centre.region, person, ...facts },
  );
  const { directive, events } = outcome;
  const event = newEventKey();
  const row = newRow(directive, event);
  const view = directiveView(
    { row, batch: undefined, enforcements: [], own: { ofEvent: () => undefined, ofNational: () => undefined } },
    { ...centre.moment(), nowMs },
  );
  if (request.dryRun) return { result: { view: { ...view, id: "" } }, audit: [], events: [], atMs: nowMs };
  await insertDirective(transaction, row);
  if (request.idempotencyKey !== "") {
    await transaction
      .insertInto("idempotency_keys")
      .values({ person: person.id, key: request.idempotencyKey, subject: row.id, fingerprint, at_ms: nowMs })
      .execute();
  }
  return {
    result: { view },
    audit: [
      {
        atMs: nowMs,
        person: person.id,
        role: person.role,
        what: "directive-accepted",
        subject: row.id,
        detail: { revision: row.revision, target, action: row.action, scope: row.scope, missing: row.missing },
      },
    ],
    events: events.map((each) => ({ event, lane: each.lane, body: each.body })),
    atMs: nowMs,
  };
}

class TriedOut extends Error {
  readonly issued: Issued;

  constructor(issued: Issued) {
    super("a trial is rolled back");
    this.issued = issued;
  }
}

/** Everything is checked, and the transaction rolled back. */
async function tryOut(centre: Centre, wanted: Wanted, person: Person): Promise<Issued> {
  try {
    return await centre.database.transaction().execute(async (transaction) => {
      throw new TriedOut((await issue(centre, transaction, wanted, person)).result);
    });
  } catch (error) {
    if (error instanceof TriedOut) return error.issued;
    throw error;
  }
}

/** What an idempotency key stands for. The end is left out: a client may count it from now again. */
function fingerprintOf(target: string, request: IssueDirectiveRequest): string {
  const asked = [target, request.action, request.scope, request.basis, request.reason, request.overrideRevision];
  return createHash("sha256").update(JSON.stringify(asked)).digest("hex");
}

function otherRequest(key: string): Refusal {
  return new Refusal({
    code: "conflict",
    field: "idempotency_key",
    value: key,
    message: "this key stands for another request",
    remedy: "choose a new key for a new request",
  });
}
