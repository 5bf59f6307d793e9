import {
  chainSealsMax,
  compareStreams,
  type EvidenceChain,
  type EvidenceItem,
  type EvidenceSeal,
} from "#domain/evidence-document.ts";
import { auditPath } from "#domain/merkle.ts";
import type { Seal } from "#domain/seal.ts";
import { capital } from "#domain/vocabulary.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import type { EvidenceMessage } from "./evidence-messages.ts";
import type { EvidenceStreams } from "./evidence-streams.ts";
import { nationalSealsFrom } from "./store/evidence.ts";

/** Where the seals of one stream, and the messages that they cover, are read. */
interface SealedSource {
  /** Seals that cover this message or later ones, in order. */
  sealsFrom(sequence: number): AsyncIterable<Seal>;
  /** Leaves of a range, as far as the messages are still there. */
  leaves(first: number, last: number): Promise<readonly Uint8Array[]>;
}

export interface Proofs {
  readonly items: readonly EvidenceItem[];
  readonly seals: readonly EvidenceSeal[];
  readonly chains: readonly EvidenceChain[];
}

/** Finds for each message the seal that covers it and its path to that seal, and the seals between them. */
export async function proveMessages(
  streams: EvidenceStreams,
  messages: readonly EvidenceMessage[],
): Promise<Proofs> {
  const ofStreams = new Map<string, EvidenceMessage[]>();
  for (const message of messages) {
    const name = `${message.site} ${message.stream} ${message.epoch}`;
    const known = ofStreams.get(name) ?? [];
    ofStreams.set(name, known);
    if (known.every(({ sequence }) => sequence !== message.sequence)) known.push(message);
  }
  const proofs: Proofs[] = [];
  for (const each of [...ofStreams.values()].toSorted((left, right) =>
    compareStreams(streamOf(left), streamOf(right)),
  ))
    proofs.push(
      await proveStream(
        streams,
        each.toSorted((left, right) => left.sequence - right.sequence),
      ),
    );
  return {
    items: proofs.flatMap(({ items }) => items),
    seals: proofs.flatMap(({ seals }) => seals),
    chains: proofs.flatMap(({ chains }) => chains),
  };
}

function streamOf([first]: readonly EvidenceMessage[]): EvidenceMessage {
  if (first === undefined) throw new Error("a stream without messages has no proofs");
  return first;
}

/** @param messages of one stream, in order */
async function proveStream(streams: EvidenceStreams, messages: readonly EvidenceMessage[]): Promise<Proofs> {
  const { site, stream, epoch } = streamOf(messages);
  const of = { site, stream, epoch };
  const source = site === capital ? nationalSource(streams) : laneSource(streams, of);
  const { seals, linked } = await sealsOf(
    source,
    messages.map(({ sequence }) => sequence),
  );
  const leaves = new Map<Seal, readonly Uint8Array[]>();
  const items: EvidenceItem[] = [];
  for (const { sequence, bytes } of messages) {
    const item = { ...of, sequence, bytes: text(bytes) };
    const seal = seals.find(({ first, last }) => first <= sequence && sequence <= last);
    const covered =
      seal === undefined ? [] : (leaves.get(seal) ?? (await source.leaves(seal.first, seal.last)));
    if (seal === undefined || covered.length !== seal.last - seal.first + 1) {
      items.push({ ...item, seal: 0, path: [] });
      continue;
    }
    leaves.set(seal, covered);
    const path = auditPath(covered, sequence - seal.first).map(text);
    items.push({ ...item, seal: seal.last, path });
  }
  const [first, last] = [seals[0], seals.at(-1)];
  const chains =
    first === undefined || last === undefined ? [] : [{ ...of, from: first.first, to: last.last, linked }];
  return { items, seals: seals.map(sealOf), chains };
}

/** The seals from the first that is needed to the last; where there are too many between them, those that are needed. */
async function sealsOf(
  source: SealedSource,
  sequences: readonly number[],
): Promise<{ seals: readonly Seal[]; linked: boolean }> {
  const [from = 0, to = 0] = [sequences[0], sequences.at(-1)];
  const seals: Seal[] = [];
  for await (const seal of source.sealsFrom(from)) {
    seals.push(seal);
    if (seal.last >= to) return { seals, linked: true };
    if (seals.length >= chainSealsMax) return { seals: await neededSeals(source, sequences), linked: false };
  }
  return { seals, linked: true };
}

async function neededSeals(source: SealedSource, sequences: readonly number[]): Promise<readonly Seal[]> {
  const seals: Seal[] = [];
  for (const sequence of sequences) {
    if ((seals.at(-1)?.last ?? 0) >= sequence) continue;
    for await (const seal of source.sealsFrom(sequence)) {
      seals.push(seal);
      break;
    }
  }
  return seals;
}

function laneSource(
  streams: EvidenceStreams,
  { site, stream, epoch }: { readonly site: string; readonly stream: string; readonly epoch: number },
): SealedSource {
  const lane = { region: site, lane: stream === "events" ? "events" : "urgent", epoch } as const;
  return {
    async *sealsFrom(sequence) {
      // A seal stands after what it covers.
      for await (const { data } of streams.lane(lane, ["replication.seal"], { sequence: sequence + 1 })) {
        const { body } = Event.decode(data);
        if (body?.$case === "seal" && body.value.last >= sequence) yield body.value;
      }
    },
    leaves: (first, last) => streams.laneLeaves(lane, first, last),
  };
}

const sealsRead = 256;

function nationalSource(streams: EvidenceStreams): SealedSource {
  return {
    async *sealsFrom(sequence) {
      for (let next = sequence; ;) {
        const seals = await nationalSealsFrom(streams.database, next, sealsRead);
        yield* seals;
        const last = seals.at(-1)?.last;
        if (last === undefined) return;
        next = last + 1;
      }
    },
    leaves: (first, last) => streams.nationalLeaves(first, last),
  };
}

function sealOf(seal: Seal): EvidenceSeal {
  const { site, stream, epoch, first, last, previous, root, atMs, keyId, signature } = seal;
  const bytes = { previous: text(previous), root: text(root) };
  return { site, stream, epoch, first, last, ...bytes, atMs, keyId, signature: text(signature) };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
