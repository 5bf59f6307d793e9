import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { Segment } from "#proto/qalqan/archive/v1/archive.ts";

/** More than a segment ever is when it is unpacked: a damaged one must not fill the memory (bytes). */
const unpackedBytesMax = 256 * 1024 * 1024;
const sequenceDigits = 12;

/** A stream in one epoch, as the archive names it. */
export interface ArchivedStream {
  /** Slug of the region, or `capital`. */
  readonly site: string;
  /** events | urgent | national */
  readonly stream: string;
  readonly epoch: number;
}

/** An object of the archive, as its name says. */
export interface SegmentName extends ArchivedStream {
  readonly name: string;
  /** Sequences of its first and last message. */
  readonly first: number;
  readonly last: number;
  /** SHA-256 of the object's bytes, hexadecimal. */
  readonly sha256: string;
}

/** An object that is not what its name, or the one before it, says. */
export class SegmentBroken extends Error {
  override readonly name = "SegmentBroken";
}

/** In front of the names of all segments of a stream; `/` at its end. */
export const streamPrefix = ({ site, stream, epoch }: ArchivedStream): string =>
  `${site}/${stream}/${epoch}/`;

const form =
  /^([a-z][a-z-]*)\/(events|urgent|national)\/(\d+)\/(\d{12})-(\d{12})-([0-9a-f]{64})\.segment\.gz$/;

/** What a name says; undefined: it is none of a segment. */
export function readName(name: string): SegmentName | undefined {
  const [, site, stream, epoch, first, last, sha256] = form.exec(name) ?? [];
  if (site === undefined || stream === undefined || sha256 === undefined) return undefined;
  return { name, site, stream, epoch: Number(epoch), first: Number(first), last: Number(last), sha256 };
}

/** An object that is ready to be stored. */
export interface PackedSegment extends SegmentName {
  readonly bytes: Buffer;
}

/**
 * Packs consecutive messages.
 *
 * @param previous SHA-256 of the segment before, hexadecimal; empty: there is none
 */
export async function packSegment(
  of: ArchivedStream,
  previous: string,
  messages: Segment["messages"],
): Promise<PackedSegment> {
  const [head] = messages;
  const tail = messages.at(-1);
  if (head === undefined || tail === undefined) throw new RangeError("a segment holds messages");
  const segment = Segment.encode({ ...of, previous: Buffer.from(previous, "hex"), messages }).finish();
  const bytes = await promisify(gzip)(segment);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const range = [head.sequence, tail.sequence].map((each) => String(each).padStart(sequenceDigits, "0"));
  const name = `${streamPrefix(of)}${range.join("-")}-${sha256}.segment.gz`;
  return { ...of, name, first: head.sequence, last: tail.sequence, sha256, bytes };
}

/**
 * Unpacks an object, and sees that it is what its name says.
 *
 * @throws SegmentBroken
 */
export async function unpackSegment(named: SegmentName, bytes: Uint8Array): Promise<Segment> {
  const { name, first, last, sha256 } = named;
  if (createHash("sha256").update(bytes).digest("hex") !== sha256)
    throw new SegmentBroken(`${name} holds other bytes than those of its name`);
  const segment = Segment.decode(await promisify(gunzip)(bytes, { maxOutputLength: unpackedBytesMax }));
  const { site, stream, epoch, messages } = segment;
  const isWhole = messages.every(({ sequence }, index) => sequence === first + index);
  const isItself = site === named.site && stream === named.stream && epoch === named.epoch;
  if (!isItself || !isWhole || messages.length !== last - first + 1)
    throw new SegmentBroken(`${name} holds other messages than its name says`);
  return segment;
}
