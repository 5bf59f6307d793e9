import {
  chainSealsMax,
  compareStreams,
  type EvidenceChain,
  type EvidenceItem,
  type EvidenceSeal,
} from "#domain/evidence-document.ts";
import { auditPath, leafHash } from "#domain/merkle.ts";
import type { Seal } from "#domain/seal.ts";
import { capital } from "#domain/vocabulary.ts";
import { batchGet } from "#platform/batch-get.ts";
import { findMessages } from "#platform/find-messages.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import type { EvidenceMessage } from "./evidence-messages.ts";
import { nationalMessageAt, nationalSealsFrom } from "./store/evidence.ts";
import type { Database } from "./store/load.ts";

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
  sources: { readonly database: Database; readonly connection: NatsConnection },
  messages: readonly EvidenceMessage[],
): Promise<Proofs> {
  const streams = new Map<string, EvidenceMessage[]>();
  for (const message of messages) {
    const name = `${message.site} ${message.stream} ${message.epoch}`;
    const known = streams.get(name) ?? [];
    streams.set(name, known);
    if (known.every(({ sequence }) => sequence !== message.sequence)) known.push(message);
  }
  const proofs: Proofs[] = [];
  for (const each of [...streams.values()].toSorted((left, right) =>
    compareStreams(streamOf(left), streamOf(right)),
  ))
    proofs.push(
      await proveStream(
        sources,
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
async function proveStream(
  { database, connection }: { readonly database: Database; readonly connection: NatsConnection },
  messages: readonly EvidenceMessage[],
): Promise<Proofs> {
  const { site, stream, epoch } = streamOf(messages);
  const of = { site, stream, epoch };
  const source = site === capital ? nationalSource(database) : laneSource(connection, of);
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
  connection: NatsConnection,
  { site, stream, epoch }: { readonly site: string; readonly stream: string; readonly epoch: number },
): SealedSource {
  const lane = stream === "events" ? "events" : "urgent";
  const name = hubStream.up(lane, site, epoch);
  return {
    async *sealsFrom(sequence) {
      const subject = hubSubject.up(lane, site, epoch, "replication.seal");
      // A seal stands after what it covers.
      for await (const { data } of findMessages(connection, name, subject, { sequence: sequence + 1 })) {
        const { body } = Event.decode(data);
        if (body?.$case === "seal" && body.value.last >= sequence) yield body.value;
      }
    },
    leaves: async (first, last) => {
      const leaves: Uint8Array[] = [];
      while (leaves.length <= last - first) {
        const next = first + leaves.length;
        const messages = await batchGet(connection, `$JS.API.DIRECT.GET.${name}`, next, last - next + 1);
        if (messages[0]?.sequence !== next) break;
        leaves.push(...messages.map(({ data }) => leafHash(data)));
      }
      return leaves;
    },
  };
}

const sealsRead = 256;

function nationalSource(database: Database): SealedSource {
  return {
    async *sealsFrom(sequence) {
      for (let next = sequence; ;) {
        const seals = await nationalSealsFrom(database, next, sealsRead);
        yield* seals;
        const last = seals.at(-1)?.last;
        if (last === undefined) return;
        next = last + 1;
      }
    },
    leaves: async (first, last) => {
      const leaves: Uint8Array[] = [];
      for (let sequence = first; sequence <= last; sequence += 1) {
        const bytes = await nationalMessageAt(database, sequence);
        if (bytes === undefined) break;
        leaves.push(leafHash(bytes));
      }
      return leaves;
    },
  };
}

function sealOf(seal: Seal): EvidenceSeal {
  const { site, stream, epoch, first, last, previous, root, atMs, keyId, signature } = seal;
  const bytes = { previous: text(previous), root: text(root) };
  return { site, stream, epoch, first, last, ...bytes, atMs, keyId, signature: text(signature) };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
