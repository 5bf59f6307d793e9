import { decodeTime } from "ulid";
import { regionOfId } from "#domain/vocabulary.ts";
import { findMessages } from "#platform/find-messages.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject, lanes, type Lane } from "#proto/names.ts";
import { Event, NationalBatch, type Directive } from "#proto/qalqan/events/v1/events.ts";
import { capitalEpoch } from "./epochs.ts";
import { epochsOfRegions, nationalMessageAt, nationalMessagesNaming } from "./store/evidence.ts";
import type { Database } from "./store/load.ts";

/** Clocks of a region and of the hub may differ by so much: the search begins that much earlier (ms). */
const clockDifferenceMaxMs = 24 * 3_600_000;
/** Receipts of a region are looked through for so long after the first that shows the decision: each replica sends one in five seconds (ms). */
const receiptsSpanMs = 12_000;

/** A message of a stream that belongs to the evidence. */
export interface EvidenceMessage {
  readonly site: string;
  /** events | urgent | national */
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

interface Sources {
  readonly database: Database;
  readonly connection: NatsConnection;
}

type Body = NonNullable<Event["body"]>;
type IsWanted = (body: Body) => boolean;

/**
 * Everything that was said about a directive: its revisions, approvals and
 * refusals, the intelligence that it names, what the capital decided, and the
 * receipts by which each region showed that it enforces the decision.
 */
export async function findEvidence(
  sources: Sources,
  directive: Directive,
  nation: readonly string[],
): Promise<readonly EvidenceMessage[]> {
  const epochs = await epochsOfRegions(sources.database);
  const found = [
    ...(await findOpinions(sources, directive, nation, epochs)),
    ...(await findIntelligence(sources, directive, epochs)),
  ];
  const decided = await nationalMessagesNaming(sources.database, directive.id);
  const decisions = decided.flatMap(({ sequence, bytes }) => {
    const { decisions: all, atMs } = NationalBatch.decode(bytes);
    const own = all.filter((decision) => decision.directive === directive.id);
    return own.length === 0 ? [] : [{ sequence, bytes, atMs, words: own.map(({ decision }) => decision) }];
  });
  const accepted = decisions.find(({ words }) => words.includes("accepted"));
  const last = decisions.at(-1);
  const shown = new Set(decisions.map(({ sequence }) => sequence));
  for (const decision of new Set([accepted, last])) {
    if (decision === undefined || accepted === undefined) continue;
    for (const region of nation) {
      const receipts = await findReceipts(sources, region, epochs.get(region) ?? [], decision);
      for (const { sequence } of receipts.map(receiptOf)) shown.add(sequence);
      found.push(...receipts);
    }
  }
  for (const sequence of shown) {
    const bytes = await nationalMessageAt(sources.database, sequence);
    if (bytes !== undefined)
      found.push({ site: "capital", stream: "national", epoch: capitalEpoch, sequence, bytes });
  }
  return found;
}

/** Revisions in the region that issued it, approvals and refusals in any. */
async function findOpinions(
  sources: Sources,
  { id, batch }: Directive,
  nation: readonly string[],
  epochs: ReadonlyMap<string, readonly number[]>,
): Promise<EvidenceMessage[]> {
  const sinceMs = startOf(id);
  const found: EvidenceMessage[] = [];
  for (const region of nation) {
    const isOwn = region === regionOfId(id);
    for (const lane of lanes) {
      // Bulk is in EVENTS, what was issued singly in URGENT.
      if (lane === "events" && (batch === "" || !isOwn)) continue;
      const place = { region, lane, epochs: epochs.get(region) ?? [] };
      const approves: IsWanted = (body) =>
        body.$case === "approval" &&
        (body.value.directive === id || (batch !== "" && body.value.batch === batch));
      found.push(...(await scan(sources, place, "approval", sinceMs, approves)));
      if (!isOwn) continue;
      const states: IsWanted = (body) =>
        body.$case === "directives" && body.value.directives.some((directive) => directive.id === id);
      found.push(...(await scan(sources, place, "directives", sinceMs, states)));
      const revokes: IsWanted = (body) =>
        body.$case === "batchRevocation" && batch !== "" && body.value.batch === batch;
      found.push(...(await scan(sources, place, "batchRevocation", sinceMs, revokes)));
    }
  }
  return found;
}

/** What the directive names as its evidence and is an event: ids of reports stay what they are, ids. */
async function findIntelligence(
  sources: Sources,
  { evidence }: Directive,
  epochs: ReadonlyMap<string, readonly number[]>,
): Promise<EvidenceMessage[]> {
  const found: EvidenceMessage[] = [];
  for (const id of new Set(evidence)) {
    const sinceMs = startOf(id);
    const region = regionOfId(id);
    const known = epochs.get(region);
    if (known === undefined || sinceMs === 0) continue;
    const place = { region, lane: "events", epochs: known } as const;
    const shares: IsWanted = (body) => body.$case === "intelligence" && body.value.intelligence?.id === id;
    found.push(...(await scan(sources, place, "intelligence", sinceMs, shares)));
  }
  return found;
}

/** The first receipt of each ready replica that has applied the decision. */
async function findReceipts(
  { connection }: Sources,
  region: string,
  epochs: readonly number[],
  decision: { readonly sequence: number; readonly atMs: number },
): Promise<EvidenceMessage[]> {
  const found = new Map<string, EvidenceMessage>();
  let untilMs = Infinity;
  for (const epoch of epochs) {
    const stream = hubStream.up("events", region, epoch);
    const subject = hubSubject.up("events", region, epoch, "*.receipt");
    // What a region says of a message of NATIONAL, the hub has stored after that message.
    for await (const message of findMessages(connection, stream, subject, { atMs: decision.atMs - 1_000 })) {
      if (message.storedAtMs > untilMs) break;
      const { body } = Event.decode(message.data);
      if (body?.$case !== "receipt" || !body.value.ready) continue;
      if (body.value.nationalSequence < decision.sequence || found.has(body.value.replica)) continue;
      untilMs = Math.min(untilMs, message.storedAtMs + receiptsSpanMs);
      const { sequence, data: bytes } = message;
      found.set(body.value.replica, { site: region, stream: "events", epoch, sequence, bytes });
    }
  }
  return [...found.values()];
}

/** The message of NATIONAL up to which a receipt speaks. */
function receiptOf({ bytes }: EvidenceMessage): { sequence: number } {
  const { body } = Event.decode(bytes);
  return { sequence: body?.$case === "receipt" ? body.value.nationalSequence : 0 };
}

async function scan(
  { connection }: Sources,
  place: { readonly region: string; readonly lane: Lane; readonly epochs: readonly number[] },
  type: string,
  sinceMs: number,
  isWanted: IsWanted,
): Promise<EvidenceMessage[]> {
  const { region, lane, epochs } = place;
  const found: EvidenceMessage[] = [];
  for (const epoch of epochs) {
    const stream = hubStream.up(lane, region, epoch);
    // Fed again into a new epoch it has another subject (sync.proto, EpochOpened).
    for (const producer of ["*", "refeed.*"]) {
      const subject = hubSubject.up(lane, region, epoch, `${producer}.${type}`);
      for await (const { sequence, data } of findMessages(connection, stream, subject, { atMs: sinceMs })) {
        const { body } = Event.decode(data);
        if (body !== undefined && isWanted(body))
          found.push({ site: region, stream: lane, epoch, sequence, bytes: data });
      }
    }
  }
  return found;
}

/** When the search for what has this id begins; 0: it is no id that says when it was made. */
function startOf(id: string): number {
  try {
    return Math.max(1, decodeTime(id.slice(id.lastIndexOf("-") + 1)) - clockDifferenceMaxMs);
  } catch {
    return 0;
  }
}
