import { createHash } from "node:crypto";
import { ulid } from "ulid";
import { decideIssue } from "#domain/directive.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import { targetFrom, targetKey, type Target } from "#domain/target.ts";
import { parseAction, parseScope, type Action, type Person, type Scope } from "#domain/vocabulary.ts";
import type { DirectiveView, IssueDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre, type Effects } from "../centre.ts";
import { idCharactersMax } from "../config.ts";
import { directiveView, freshKnowledge, storyOf } from "../domain/directive-view.ts";
import { insertDirective, newRow, readFacts } from "../store/directives.ts";
import { checkKey, earlierSubject, rememberKey } from "../store/idempotency.ts";
import { eventOf, outgoing } from "../store/outbox.ts";
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
  const issued = await centre.accept((transaction) => issue(centre, transaction, wanted, person));
  if ("view" in issued) return issued.view;
  const view = await viewOf(centre.database, issued.earlier, centre.moment());
  if (view === undefined) throw new Error("an idempotency key names a directive that is not there");
  return view;
}

function readRequest(request: IssueDirectiveRequest): Wanted {
  checkKey(request.idempotencyKey);
  const value = request.evidence.find((id) => id.length > idCharactersMax);
  if (value !== undefined) {
    const remedy = `Give ids of at most ${idCharactersMax} characters.`;
    throw new InvalidInput({
      code: "too-long",
      field: "evidence",
      value,
      message: "has a too long id",
      remedy,
    });
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
  const key = { person: person.id, key: request.idempotencyKey, fingerprint: fingerprintOf(target, request) };
  const earlier = earlierSubject(facts.known, key);
  if (earlier !== undefined) return noEffects<Issued>({ earlier });
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
  const sent = events.map((each) => outgoing(each.lane, each.body, nowMs));
  const row = newRow(directive, eventOf(sent));
  const view = {
    ...directiveView(freshKnowledge(row, facts.nation), centre.moment()),
    story: storyOf([row], [], undefined),
  };
  // A trial ends here: the transaction commits nothing.
  if (request.dryRun) return noEffects({ view: { ...view, id: "" } });
  return {
    result: { view },
    rows: [() => insertDirective(transaction, row), () => rememberKey(transaction, key, row.id, nowMs)],
    audit: [
      {
        atMs: nowMs,
        person: person.id,
        role: person.role,
        what: "directive-accepted",
        subject: row.id,
        detail: {
          revision: row.revision,
          target,
          action: row.action,
          scope: row.scope,
          missing: row.missing,
        },
      },
    ],
    events: sent,
  };
}

/** What an idempotency key stands for. The end is left out: a client may count it from now again. */
function fingerprintOf(target: string, request: IssueDirectiveRequest): string {
  const asked = [
    target,
    request.action,
    request.scope,
    request.basis,
    request.reason,
    request.overrideRevision,
  ];
  return createHash("sha256").update(JSON.stringify(asked)).digest("hex");
}
