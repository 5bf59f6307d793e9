import { createHash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { SetDigest } from "#domain/digest.ts";
import { entryText, protectedText, stopText } from "#domain/national-rows.ts";
import type { Intelligence, NationalRow } from "#proto/qalqan/events/v1/events.ts";
import {
  SnapshotChunk,
  type DecisionAt,
  type SnapshotManifest,
  type SnapshotPart,
} from "#proto/qalqan/events/v1/snapshot.ts";

/** One chunk has at most so many rows, decisions or pieces … */
export const chunkItemsMax = 1_000;
/** … and stays below the largest payload of a NATS server (1 MiB). */
const chunkBytesMax = 900_000;
/** Bytes around the texts of a row, a decision or a piece; an upper estimate. */
const overheadBytes = 100;

export type PartKind = "rows" | "decisions" | "facts";

/** What a chunk holds, of one kind. */
export type ChunkContent = Partial<
  Pick<SnapshotChunk, "rows" | "decisions" | "revokedBatches" | "intelligence">
>;

/**
 * The manifest of a snapshot while its chunks are put together, one after the
 * other: their hashes, what they hold, and the digest of the rows among them.
 */
export class SnapshotDraft {
  readonly #sequence: number;
  readonly #hashes: Buffer[] = [];
  readonly #parts: SnapshotPart[] = [];
  readonly #digest = new SetDigest();
  #rows = 0;
  #bytes = 0;

  /** @param sequence message of NATIONAL after which the snapshot is true */
  constructor(sequence: number) {
    this.#sequence = sequence;
  }

  get chunks(): number {
    return this.#hashes.length;
  }

  /** Digest of all rows so far, 32 bytes. */
  get digest(): Uint8Array {
    return this.#digest.value();
  }

  /** The next chunk as it is stored. */
  chunk(kind: PartKind, region: string, content: ChunkContent): Uint8Array {
    const rows = content.rows ?? [];
    for (const row of rows) this.#digest.add(textOf(row));
    const bytes = zstdCompressSync(
      SnapshotChunk.encode({
        ...{ sequence: this.#sequence, index: this.#hashes.length, rows: [] },
        ...{ decisions: [], revokedBatches: [], intelligence: [] },
        ...content,
      }).finish(),
    );
    this.#hashes.push(createHash("sha256").update(bytes).digest());
    this.#rows += rows.length;
    this.#bytes += bytes.length;
    const part = this.#parts.at(-1);
    if (part?.kind === kind && part.region === region) part.chunks += 1;
    else this.#parts.push({ kind, region, chunks: 1 });
    return bytes;
  }

  /** @param firstMessage sequence of the first chunk in SNAPSHOT */
  manifest(epoch: number, atMs: number, firstMessage: number): SnapshotManifest {
    return {
      ...{ epoch, sequence: this.#sequence, atMs, firstMessage },
      digest: Buffer.from(this.digest),
      chunkHashes: this.#hashes,
      rows: this.#rows,
      parts: this.#parts,
      bytes: this.#bytes,
    };
  }
}

function textOf({ row }: NationalRow): string {
  switch (row?.$case) {
    case "entry":
      return entryText(row.value);
    case "protectedNumber":
      return protectedText(row.value);
    case "stop":
      return stopText(row.value);
    case "removed":
    case undefined:
      throw new Error("a snapshot has rows that are there, and no others");
    default:
      return row satisfies never;
  }
}

/** Items by the thousand, less where they are large. */
export async function* chunked<Item>(
  source: AsyncIterable<readonly Item[]>,
  bytesOf: (item: Item) => number,
): AsyncGenerator<Item[]> {
  let chunk: Item[] = [];
  let bytes = 0;
  for await (const items of source) {
    for (const item of items) {
      const size = overheadBytes + bytesOf(item);
      if (chunk.length >= chunkItemsMax || (chunk.length > 0 && bytes + size > chunkBytesMax)) {
        yield chunk;
        chunk = [];
        bytes = 0;
      }
      chunk.push(item);
      bytes += size;
    }
  }
  if (chunk.length > 0) yield chunk;
}

export function rowBytes({ row }: NationalRow): number {
  switch (row?.$case) {
    case "entry": {
      const { target, slot, action, directive, reason, soleSupport, authorRole, falseStopOf } = row.value;
      return [target, slot, action, directive, reason, soleSupport, authorRole, falseStopOf].join("").length;
    }
    case "protectedNumber":
      // Holders are written in any script: at most three bytes a code unit.
      return 3 * row.value.holder.length + row.value.originatesFrom.join(" ").length + 32;
    case "stop":
    case "removed":
    case undefined:
      return 0;
    default:
      return row satisfies never;
  }
}

export function decisionBytes({ decision }: DecisionAt): number {
  if (decision === undefined) return 0;
  const { region, directive, reason, missing } = decision;
  return region.length + directive.length + reason.length + missing.join("  ").length;
}

export function pieceBytes(piece: Intelligence): number {
  return 3 * (piece.fieldsJson.length + piece.releasedWording.length) + piece.author.length;
}

/** Decisions chunk by chunk, each of one region alone. */
export async function* byRegion(
  chunks: AsyncIterable<readonly DecisionAt[]>,
): AsyncGenerator<{ readonly region: string; readonly decisions: DecisionAt[] }> {
  for await (const chunk of chunks) {
    const regions = Map.groupBy(chunk, ({ decision }) => decision?.region ?? "");
    for (const [region, decisions] of regions) yield { region, decisions };
  }
}

/** When the next snapshot is due. */
export interface SnapshotPace {
  /** Rows of the table changed since the last one, at least; a table of more rows waits for as many as it has. */
  readonly rowsMin: number;
  /** Or messages of NATIONAL since then. */
  readonly messagesMin: number;
}

/**
 * Whether a snapshot is due: a region that reads the last one and then NATIONAL
 * should not read more of the latter than of the former.
 *
 * @param last undefined: there is none
 * @param rowsChanged rows that messages of NATIONAL have changed since
 */
export function isSnapshotDue(
  last: { readonly sequence: number; readonly rows: number } | undefined,
  sequence: number,
  rowsChanged: number,
  pace: SnapshotPace,
): boolean {
  if (last === undefined) return true;
  if (sequence <= last.sequence) return false;
  return rowsChanged >= Math.max(pace.rowsMin, last.rows) || sequence - last.sequence >= pace.messagesMin;
}
