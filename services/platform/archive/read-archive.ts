import { leafHash } from "#domain/merkle.ts";
import { chainStart, endOfChain, judgeSeal, sealCovers, type ChainEnd, type SealKeys } from "#domain/seal.ts";
import type { ArchivedMessage } from "#proto/qalqan/archive/v1/archive.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import type { Seal } from "#proto/qalqan/events/v1/sync.ts";
import type { ObjectReader } from "./object-store.ts";
import {
  readName,
  SegmentBroken,
  streamPrefix,
  unpackSegment,
  type ArchivedStream,
  type SegmentName,
} from "./segment.ts";

/** The segments of a stream in order; of two that begin with the same message the longer one. */
export async function segmentsOf(store: ObjectReader, of: ArchivedStream): Promise<SegmentName[]> {
  const chosen: SegmentName[] = [];
  for (const name of await store.list(streamPrefix(of))) {
    const segment = readName(name);
    if (segment === undefined) continue;
    const before = chosen.at(-1);
    if (before?.first === segment.first) chosen.pop();
    else if (before !== undefined && segment.first <= before.last) continue;
    chosen.push(segment);
  }
  return chosen;
}

interface SealedMessage {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** Whether a seal stands in a message: of a lane its subject says so. */
export function isSealed(stream: string, { subject, data }: SealedMessage): boolean {
  return stream === "national"
    ? NationalBatch.decode(data).seal !== undefined
    : subject.endsWith(".replication.seal");
}

/** The seal that a message is, or carries; undefined: none. */
function sealIn(stream: string, message: SealedMessage): Seal | undefined {
  if (!isSealed(stream, message)) return undefined;
  if (stream === "national") return NationalBatch.decode(message.data).seal;
  const { body } = Event.decode(message.data);
  return body?.$case === "seal" ? body.value : undefined;
}

/** Where reading begins: with a message, or with what the hub had stored at a time. */
export type ArchiveStart = { readonly sequence: number } | { readonly atMs: number };

/**
 * Reads what the archive holds of a stream, segment by segment: each has the
 * bytes of its name and names the one before it, no message is missing, and
 * every seal in it is one, and covers the messages that are there.
 *
 * @param keys of all sites; undefined: seals are not looked at
 * @param from the first segment is the one that holds it
 * @throws SegmentBroken naming the object
 */
export async function* readArchive(
  store: ObjectReader,
  of: ArchivedStream,
  keys: SealKeys | undefined,
  from: ArchiveStart = { sequence: 1 },
): AsyncGenerator<readonly ArchivedMessage[]> {
  const seals = keys === undefined ? undefined : new SealCheck(of, keys);
  const segments = await segmentsOf(store, of);
  const start = await placeOf(store, segments, from);
  let before: SegmentName | undefined = segments[start - 1];
  for (const named of segments.slice(start)) {
    const { previous, messages } = await unpackSegment(named, await store.get(named.name));
    if (before !== undefined && named.first !== before.last + 1)
      throw new SegmentBroken(
        `${of.site}/${of.stream}: messages ${before.last + 1} to ${named.first - 1} are missing`,
      );
    if (before !== undefined && Buffer.from(previous).toString("hex") !== before.sha256)
      throw new SegmentBroken(`${named.name} follows another segment than ${before.name}`);
    seals?.take(named, messages);
    before = named;
    yield messages;
  }
}

/** Where in the list the segment is that reading begins with. */
async function placeOf(
  store: ObjectReader,
  segments: readonly SegmentName[],
  from: ArchiveStart,
): Promise<number> {
  let [least, most] = [0, segments.length];
  while (least < most) {
    const middle = (least + most) >>> 1;
    const named = segments[middle];
    if (named === undefined) break;
    if (await isBefore(store, named, from)) least = middle + 1;
    else most = middle;
  }
  // Of a time the one before may hold it, too: it began earlier.
  return "sequence" in from ? least : Math.max(0, least - 1);
}

async function isBefore(store: ObjectReader, named: SegmentName, from: ArchiveStart): Promise<boolean> {
  if ("sequence" in from) return named.last < from.sequence;
  // Names have no time.
  const [first] = (await unpackSegment(named, await store.get(named.name))).messages;
  return first !== undefined && first.storedAtMs <= from.atMs;
}

/** Follows the chain of seals through the segments of one stream. */
class SealCheck {
  readonly #of: ArchivedStream;
  readonly #keys: SealKeys;
  /** `leafHash` of messages that no seal has covered yet. */
  readonly #leaves: Buffer[] = [];
  /** Sequence of the first of them. */
  #from = 1;
  /** Undefined until the first seal, where the archive does not begin with the stream. */
  #end: ChainEnd | undefined = chainStart;
  #hasBegun = false;

  constructor(of: ArchivedStream, keys: SealKeys) {
    this.#of = of;
    this.#keys = keys;
  }

  take({ name }: SegmentName, messages: readonly ArchivedMessage[]): void {
    for (const message of messages) {
      const { sequence, data } = message;
      if (!this.#hasBegun) this.#begin(sequence);
      const seal = sealIn(this.#of.stream, message);
      if (seal !== undefined) this.#judge(name, sequence, seal);
      this.#leaves.push(leafHash(data));
    }
  }

  #begin(sequence: number): void {
    this.#hasBegun = true;
    this.#from = sequence;
    if (sequence !== 1) this.#end = undefined;
  }

  #judge(name: string, sequence: number, seal: Seal): void {
    const fault = judgeSeal(seal, this.#of, this.#end, this.#keys);
    if (fault !== undefined)
      throw new SegmentBroken(`${name}: the seal at ${sequence} proves nothing: ${fault}`);
    const skipped = seal.first - this.#from;
    // Of the first seal after the beginning of the archive the messages may be older than it.
    if (skipped >= 0) {
      const leaves = this.#leaves.slice(skipped, skipped + seal.last - seal.first + 1);
      if (!sealCovers(seal, leaves))
        throw new SegmentBroken(`${name}: the messages are not those that the seal at ${sequence} is over`);
    }
    this.#leaves.splice(0, Math.max(0, seal.last + 1 - this.#from));
    this.#from = Math.max(this.#from, seal.last + 1);
    this.#end = endOfChain(seal);
  }
}
