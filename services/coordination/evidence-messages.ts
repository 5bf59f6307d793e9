import { decodeTime } from "ulid";
import { regionOfId } from "#domain/vocabulary.ts";
import { lanes, type Lane } from "#proto/names.ts";
import { Event, NationalBatch, type Directive } from "#proto/qalqan/events/v1/events.ts";
import { capitalEpoch } from "./epochs.ts";
import type { EvidenceStreams } from "./evidence-streams.ts";
import { epochsOfRegions } from "./store/evidence.ts";

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

type Body = NonNullable<Event["body"]>;

/**
 * Everything that was said about a directive: its revisions, approvals and
 * refusals, the intelligence that it names, what the capital decided, and the
 * receipts by which each region showed that it enforces the decision.
 */
export async function findEvidence(
  streams: EvidenceStreams,
  directive: Directive,
  nation: readonly string[],
): Promise<readonly EvidenceMessage[]> {
  const epochs = await epochsOfRegions(streams.database);
  const found = [
    ...(await findOpinions(streams, directive, nation, epochs)),
    ...(await findIntelligence(streams, directive, epochs)),
  ];
  const decided = await streams.nationalNaming(directive.id, startOf(directive.id));
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
      const receipts = await findReceipts(streams, region, epochs.get(region) ?? [], decision);
      for (const { sequence } of receipts.map(receiptOf)) shown.add(sequence);
      found.push(...receipts);
    }
  }
  for (const sequence of shown) {
    const bytes = await streams.nationalAt(sequence);
    if (bytes !== undefined)
      found.push({ site: "capital", stream: "national", epoch: capitalEpoch, sequence, bytes });
  }
  return found;
}

/** Revisions in the region that issued it, approvals and refusals in any. */
async function findOpinions(
  streams: EvidenceStreams,
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
      const types = isOwn ? ["approval", "directives", "batchRevocation"] : ["approval"];
      const concerns = (body: Body) => saysOf(body, id, batch);
      found.push(...(await scan(streams, place, types, sinceMs, concerns)));
    }
  }
  return found;
}

/** Whether an event states, approves, refuses or revokes a directive. @param batch that it is of; empty: none */
function saysOf(body: Body, id: string, batch: string): boolean {
  const isOfBatch = (named: string) => batch !== "" && named === batch;
  if (body.$case === "approval") return body.value.directive === id || isOfBatch(body.value.batch);
  if (body.$case === "directives") return body.value.directives.some((directive) => directive.id === id);
  return body.$case === "batchRevocation" && isOfBatch(body.value.batch);
}

/** What the directive names as its evidence and is an event: ids of reports stay what they are, ids. */
async function findIntelligence(
  streams: EvidenceStreams,
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
    const shares = (body: Body) => body.$case === "intelligence" && body.value.intelligence?.id === id;
    found.push(...(await scan(streams, place, ["intelligence"], sinceMs, shares)));
  }
  return found;
}

/** The first receipt of each ready replica that has applied the decision. */
async function findReceipts(
  streams: EvidenceStreams,
  region: string,
  epochs: readonly number[],
  decision: { readonly sequence: number; readonly atMs: number },
): Promise<EvidenceMessage[]> {
  const found = new Map<string, EvidenceMessage>();
  let untilMs = Infinity;
  for (const epoch of epochs) {
    const events = { region, lane: "events", epoch } as const;
    // What a region says of a message of NATIONAL, the hub has stored after that message.
    for await (const message of streams.lane(events, ["*.receipt"], { atMs: decision.atMs - 1_000 })) {
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
  streams: EvidenceStreams,
  place: { readonly region: string; readonly lane: Lane; readonly epochs: readonly number[] },
  types: readonly string[],
  sinceMs: number,
  isWanted: (body: Body) => boolean,
): Promise<EvidenceMessage[]> {
  const { region, lane, epochs } = place;
  // Fed again into a new epoch an event has another subject (sync.proto, EpochOpened).
  const subjects = types.flatMap((type) => [`*.${type}`, `refeed.*.${type}`]);
  const found: EvidenceMessage[] = [];
  for (const epoch of epochs) {
    const from = { atMs: sinceMs };
    for await (const { sequence, data } of streams.lane({ region, lane, epoch }, subjects, from)) {
      const { body } = Event.decode(data);
      if (body !== undefined && isWanted(body))
        found.push({ site: region, stream: lane, epoch, sequence, bytes: data });
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
