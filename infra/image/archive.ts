import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Transform, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, pack, type Header, type Pack } from "tar-stream";
import type { Entry } from "./entries.ts";

/** A file of more is copied in pieces of this size; one of less is one piece. */
export const pieceBytes = 1 << 20;

const fileMode = 0o644;
const executableMode = 0o755;
const linkMode = 0o777;

/** What every entry of an archive of ours has in common, so that the same content makes the same bytes. */
const common = { uid: 0, gid: 0, uname: "", gname: "", mtime: new Date(0) } as const;

/** The only header that an entry has in an archive of ours. */
function headerOf(entry: Entry): Pick<Header, "name"> & Partial<Header> {
  switch (entry.kind) {
    case "directory":
      return { ...common, name: `${entry.path}/`, type: "directory", mode: entry.mode };
    case "link":
      return { ...common, name: entry.path, type: "symlink", mode: linkMode, linkname: entry.target };
    case "file":
      return {
        ...common,
        name: entry.path,
        type: "file",
        mode: entry.executable ? executableMode : fileMode,
        size: entry.bytes,
      };
    default:
      return entry satisfies never;
  }
}

/** Sees what is written of an entry's content, piece by piece. */
export type SeeContent = (piece: Buffer, entry: Entry) => void;

/**
 * Writes entries as a tar archive into a stream, in their order; the next entry
 * is asked for when the one before has been written.
 */
export async function writeArchive(
  entries: Iterable<Entry> | AsyncIterable<Entry>,
  into: readonly [Writable, ...Writable[]],
  see: SeeContent = () => undefined,
): Promise<void> {
  const archive = pack();
  const written = pipeline([nodeReadable(archive), ...into]);
  const failure = written.then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    for await (const entry of entries) await addEntry(archive, entry, see);
    archive.finalize();
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    // A disk that is full ends the entry as well, and is the reason.
    throw (await failure) ?? error;
  }
  await written;
}

async function addEntry(archive: Pack, entry: Entry, see: SeeContent): Promise<void> {
  const header = headerOf(entry);
  const source = entry.kind === "file" ? await sourceOf(entry) : undefined;
  if (source !== undefined && !Buffer.isBuffer(source)) {
    await pipeline(
      source,
      passing((piece) => see(piece, entry)),
      nodeWritable(archive.entry(header)),
    );
    return;
  }
  const content = source ?? nothing;
  if (content.length !== (header.size ?? 0)) {
    throw new Error(`${header.name} has changed while it was read`);
  }
  see(content, entry);
  await new Promise<void>((resolve, reject) => {
    archive.entry(header, content, (error) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });
}

async function sourceOf({ source, bytes }: Entry & { kind: "file" }): Promise<Buffer | Readable> {
  if (typeof source !== "string") return source;
  return bytes > pieceBytes ? readFrom(source) : readFile(source);
}

const nothing = Buffer.alloc(0);

/** Streams of tar-stream do what those of Node do, and are meant to be piped; its types do not say so. */
const nodeReadable = (stream: object): Readable => stream as Readable;
const nodeWritable = (stream: object): Writable => stream as Writable;

/** An entry of an archive that is being read; its content is read before the next entry comes. */
export interface ReadEntry {
  readonly header: Header;
  readonly content: Readable;
}

/**
 * Reads a tar archive entry by entry.
 *
 * @param see is shown every piece of the archive itself
 * @throws Error that says what is no archive in it
 */
export async function* readArchive(
  file: string,
  see: (piece: Buffer) => void = () => undefined,
): AsyncGenerator<ReadEntry> {
  const extraction = extract();
  const reading = pipeline(readFrom(file), passing(see), nodeWritable(extraction));
  // Whoever reads the entries meets its failure below.
  reading.catch(() => undefined);
  for await (const entry of extraction) yield { header: entry.header, content: nodeReadable(entry) };
  await reading;
}

/** A file in pieces that are worth a turn. */
export const readFrom = (file: string): Readable => createReadStream(file, { highWaterMark: pieceBytes });

export const writeTo = (file: string): Writable =>
  createWriteStream(file, { flags: "wx", highWaterMark: pieceBytes });

/** What passes is seen. */
export function passing(see: (piece: Buffer) => void): Transform {
  return new Transform({
    highWaterMark: pieceBytes,
    transform(piece: Buffer, _encoding, done) {
      see(piece);
      done(null, piece);
    },
  });
}

/** In hexadecimal digits. */
export const sha256 = (content: Buffer | string): string =>
  createHash("sha256").update(content).digest("hex");

/** In hexadecimal digits. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of readFrom(file)) hash.update(piece as Buffer);
  return hash.digest("hex");
}
