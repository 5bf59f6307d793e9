import { createHash } from "node:crypto";
import { ulid } from "ulid";
import {
  audienceText,
  parseAudience,
  parseConfidence,
  parseFields,
  parseKind,
  parseMarking,
  parseNote,
  parseReleasedWording,
  parseSource,
} from "#domain/intelligence.ts";
import { InvalidInput } from "#domain/invalid-input.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { AddIntelligenceRequest, IntelligenceView } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre, type Effects } from "../centre.ts";
import { checkKey, earlierSubject, rememberKey } from "../store/idempotency.ts";
import {
  insertIntelligence,
  intelligenceOf,
  intelligenceView,
  readIntelligence,
  type ReadIntelligence,
} from "../store/intelligence.ts";
import { outgoing } from "../store/outbox.ts";
import type { CentreTransaction } from "../store/schema.ts";
import { lock } from "../store/transaction.ts";
import { requireHere, writers } from "./people.ts";

/**
 * Writes down a piece of intelligence. Its audience decides by which pipe it
 * goes: of audience `region` nothing leaves this database, of every other the
 * piece without its note goes into EVENTS.
 *
 * @throws InvalidInput for any field; Refusal `forbidden`, `conflict` for a used idempotency key
 */
export async function addIntelligence(
  centre: Centre,
  request: AddIntelligenceRequest,
  person: Person,
): Promise<IntelligenceView> {
  requireHere(person, centre.region, writers);
  checkKey(request.idempotencyKey);
  const row = readRequest(centre.region, request, person);
  return centre.accept((transaction) => add(transaction, row, request, person));
}

function readRequest(region: string, request: AddIntelligenceRequest, person: Person): ReadIntelligence {
  const nowMs = Date.now();
  const kind = parseKind(request.kind);
  if (request.validUntilMs <= nowMs) {
    throw new InvalidInput({
      code: "invalid-validity",
      field: "valid_until_ms",
      value: String(request.validUntilMs),
      message: "is in the past",
      remedy: "Give an end in the future, in milliseconds since 1970.",
    });
  }
  return {
    id: `${region}-${ulid(nowMs)}`,
    region,
    revision: 1,
    kind,
    fields_json: parseFields(kind, request.fieldsJson),
    audience: audienceText(parseAudience(request.audience, region)),
    tlp: parseMarking(request.tlp),
    confidence: parseConfidence(request.confidence),
    source: parseSource(request.source),
    author: person.id,
    created_at_ms: nowMs,
    valid_until_ms: request.validUntilMs,
    released_wording: parseReleasedWording(kind, request.releasedWording),
    withdrawn: false,
    withdrawn_at_ms: 0,
    note: parseNote(request.note),
  };
}

async function add(
  transaction: CentreTransaction,
  row: ReadIntelligence,
  request: AddIntelligenceRequest,
  person: Person,
): Promise<Effects<IntelligenceView>> {
  await lock(transaction, [`author:${person.id}`]);
  const atMs = row.created_at_ms;
  const key = { person: person.id, key: request.idempotencyKey, fingerprint: fingerprintOf(row) };
  const known = await transaction
    .selectFrom("idempotency_keys")
    .select(["subject", "fingerprint"])
    .where("person", "=", key.person)
    .where("key", "=", key.key)
    .executeTakeFirst();
  const earlier = earlierSubject(known, key);
  if (earlier !== undefined) {
    const first = await readIntelligence(transaction, earlier);
    if (first === undefined) throw new Error("an idempotency key names a piece that is not there");
    return noEffects(intelligenceView(first, true));
  }
  await insertIntelligence(transaction, row);
  await rememberKey(transaction, key, row.id, atMs);
  const { kind, audience, tlp } = row;
  return {
    result: intelligenceView(row, true),
    audit: [
      {
        atMs,
        person: person.id,
        role: person.role,
        what: "intelligence-added",
        subject: row.id,
        detail: { kind, audience, tlp },
      },
    ],
    events:
      audience === "region"
        ? []
        : [outgoing("events", { $case: "intelligence", value: { intelligence: intelligenceOf(row) } }, atMs)],
  };
}

function fingerprintOf(row: ReadIntelligence): string {
  const asked = [row.kind, row.fields_json, row.audience, row.tlp, row.source, row.released_wording];
  return createHash("sha256").update(JSON.stringify(asked)).digest("hex");
}
