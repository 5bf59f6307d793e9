import { createHash, verify, type Hash, type KeyObject } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { Writable } from "node:stream";
import type { Release } from "../deployment/release.ts";
import { readArchive, writeArchive, type ReadEntry } from "../image/archive.ts";
import type { Entry } from "../image/entries.ts";
import { Problem } from "../problem.ts";
import {
  checksumsBytesMax,
  checksumsName,
  checksumsSchema,
  filesMax,
  signatureName,
  staysInFolder,
  type Checksum,
  type Checksums,
} from "./format.ts";

export interface VerifiedBundle {
  readonly release: Release;
  readonly files: number;
  readonly bytes: number;
  /** Of the whole archive. */
  readonly sha256: string;
}

/**
 * Reads a bundle once and checks that it is, byte for byte, what the holder of
 * the key has written: nothing is unpacked, and nothing of it is believed
 * before the signature over the checksums has been found good.
 *
 * What its files say is compared with the checksums; everything else in the
 * archive (headers, padding, what is behind its end) with the archive that the
 * same files would be written as.
 *
 * @param onBytes is told how much more of the archive has been read
 * @throws Problem `bundle-unreadable`, `bundle-unsigned`, `bundle-changed`
 */
export async function verifyBundle(
  file: string,
  key: KeyObject,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<VerifiedBundle> {
  const found = await readBundle(file, onBytes);
  const { list, signature } = found;
  if (list === undefined || signature === undefined) {
    const name = list === undefined ? checksumsName : signatureName;
    throw problem("bundle-unsigned", name, `the bundle has no ${name}`);
  }
  if (!verify(null, list, key, signature)) {
    throw problem("bundle-unsigned", signatureName, "the checksums are not signed by this key");
  }
  const checksums = parseChecksums(list);
  compare(checksums, found.checksums);
  if (found.sha256 !== found.sha256Expected) {
    throw problem("bundle-changed", "archive", "bytes of the archive between its files have been changed");
  }
  const { bytes, sha256 } = found;
  return { release: checksums.release, files: found.checksums.size, bytes, sha256 };
}

interface FoundBundle {
  /** Of the files before the checksums, in the order of the archive. */
  readonly checksums: ReadonlyMap<string, Checksum>;
  readonly list: Buffer | undefined;
  readonly signature: Buffer | undefined;
  readonly bytes: number;
  readonly sha256: string;
  /** Of the archive that the same entries are written as. */
  readonly sha256Expected: string;
}

async function readBundle(file: string, onBytes: (bytes: number) => void): Promise<FoundBundle> {
  const whole = createHash("sha256");
  const expected = createHash("sha256");
  let bytes = 0;
  const archive = readArchive(file, (piece) => {
    whole.update(piece);
    bytes += piece.length;
    onBytes(piece.length);
  });
  const hashes = new Map<string, { readonly entry: FileEntry; readonly hash: Hash }>();
  const ends = new Map<string, Buffer>();
  try {
    await writeArchive(entriesOf(archive, hashes, ends), [into(expected)], (piece, entry) =>
      hashes.get(entry.path)?.hash.update(piece),
    );
  } catch (error) {
    if (error instanceof Problem) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw problem("bundle-unreadable", file, `the bundle cannot be read to its end: ${why}`);
  }
  const checksums = new Map(
    [...hashes].map(([path, { entry, hash }]): [string, Checksum] => [
      path,
      { sha256: hash.digest("hex"), bytes: entry.bytes, ...(entry.executable ? { executable: true } : {}) },
    ]),
  );
  return {
    checksums,
    list: ends.get(checksumsName),
    signature: ends.get(signatureName),
    bytes,
    sha256: whole.digest("hex"),
    sha256Expected: expected.digest("hex"),
  };
}

type FileEntry = Extract<Entry, { kind: "file" }>;

const into = (hash: Hash): Writable =>
  new Writable({
    write(piece: Buffer, _encoding, done) {
      hash.update(piece);
      done();
    },
  });

const ownerExecutes = 0o100;

/** Entries as they would be written; what is read of an entry is its path, whether it can be executed, and its content. */
async function* entriesOf(
  archive: AsyncIterable<ReadEntry>,
  hashes: Map<string, { readonly entry: FileEntry; readonly hash: Hash }>,
  ends: Map<string, Buffer>,
): AsyncGenerator<Entry> {
  for await (const { header, content } of archive) {
    const { name: path, size: bytes } = header;
    if (!staysInFolder(path))
      throw problem("bundle-changed", path, "this path leaves the folder of the bundle");
    if (header.type !== "file") throw problem("bundle-changed", path, `this is a ${header.type}, not a file`);
    if (hashes.has(path) || ends.has(path)) throw problem("bundle-changed", path, "this path comes twice");
    const isEnd = path === checksumsName || path === signatureName;
    if (!isEnd && ends.size > 0) throw problem("bundle-changed", path, "this file comes after the checksums");
    if (hashes.size >= filesMax)
      throw problem("bundle-changed", path, `there are more than ${filesMax} files`);
    const entry = { kind: "file", path, executable: (header.mode & ownerExecutes) !== 0, bytes } as const;
    if (isEnd) {
      if (bytes > checksumsBytesMax)
        throw problem("bundle-changed", path, "this file is too large to be read");
      const source = await buffer(content);
      ends.set(path, source);
      yield { ...entry, source };
    } else {
      const file = { ...entry, source: content };
      hashes.set(path, { entry: file, hash: createHash("sha256") });
      yield file;
    }
  }
}

function parseChecksums(list: Buffer): Checksums {
  const result = checksumsSchema.safeParse(JSON.parse(list.toString("utf8")));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw problem(
    "bundle-unreadable",
    checksumsName,
    `these checksums are of another kind: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`,
  );
}

/** @throws Problem `bundle-changed` with the first file that differs, and how many do */
function compare({ files }: Checksums, found: ReadonlyMap<string, Checksum>): void {
  const wanted = new Map(Object.entries(files));
  const differing: [path: string, how: string][] = [
    ...[...wanted.keys()]
      .filter((path) => !found.has(path))
      .map((path): [string, string] => [path, "this file is missing"]),
    ...[...found.keys()]
      .filter((path) => !wanted.has(path))
      .map((path): [string, string] => [path, "this file is not in the checksums"]),
    ...[...found]
      .filter(([path, checksum]) => {
        const signed = wanted.get(path);
        return signed !== undefined && !isSame(signed, checksum);
      })
      .map(([path]): [string, string] => [path, "this file has been changed"]),
  ];
  const [first] = differing;
  if (first !== undefined) {
    const [path, how] = first;
    const more = differing.length === 1 ? "" : `; so or otherwise ${differing.length - 1} more differ`;
    throw problem("bundle-changed", path, `${how}${more}`);
  }
  const order = [...wanted.keys()];
  const misplaced = [...found.keys()].find((path, index) => path !== order[index]);
  if (misplaced !== undefined) throw problem("bundle-changed", misplaced, "this file is not in its place");
}

const isSame = (left: Checksum, right: Checksum): boolean =>
  left.sha256 === right.sha256 && left.bytes === right.bytes && left.executable === right.executable;

/** @param path of what is wrong, within the bundle */
function problem(code: string, path: string, message: string): Problem {
  return new Problem({
    code,
    field: "file",
    value: path,
    message,
    remedy: "do not unpack it: have the bundle, and the public key, brought again by a way that you trust",
  });
}
