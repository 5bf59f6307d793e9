import { createHash, sign, type Hash, type KeyObject } from "node:crypto";
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Release } from "../deployment/release.ts";
import { passing, writeArchive, writeTo } from "../image/archive.ts";
import type { Entry } from "../image/entries.ts";
import {
  checksumsName,
  filesMax,
  signatureName,
  staysInFolder,
  type Checksum,
  type Checksums,
} from "./format.ts";

export interface BundleWish {
  /** Files alone, each path once. */
  readonly files: readonly Extract<Entry, { kind: "file" }>[];
  readonly release: Release;
  /** Private Ed25519 key. */
  readonly key: KeyObject;
  /** The archive's path; it appears there only when it is whole. */
  readonly out: string;
  /** Is told how much more of the files has been written. */
  readonly onBytes?: (bytes: number) => void;
}

export interface WrittenBundle {
  readonly file: string;
  readonly files: number;
  readonly bytes: number;
  /** Of the whole archive. */
  readonly sha256: string;
}

/**
 * Writes one tar with the files, their checksums, and the signature. The same
 * files and key make the same bytes.
 *
 * @throws RangeError for a path that leaves the folder or comes twice
 */
export async function writeBundle(wish: BundleWish): Promise<WrittenBundle> {
  const { files, out, onBytes = () => undefined } = wish;
  checkPaths(files.map(({ path }) => path));
  mkdirSync(dirname(out), { recursive: true });
  const whole = createHash("sha256");
  const hashes = new Map<string, Hash>();
  const written = `${out}.${process.pid}`;
  try {
    await writeArchive(
      withChecksums(wish, hashes),
      [passing((piece) => whole.update(piece)), writeTo(written)],
      (piece, entry) => {
        hashes.get(entry.path)?.update(piece);
        onBytes(piece.length);
      },
    );
    renameSync(written, out);
  } finally {
    rmSync(written, { force: true });
  }
  return { file: out, files: files.length, bytes: statSync(out).size, sha256: whole.digest("hex") };
}

/** The checksums are asked for when the last file has been written, and so has been hashed. */
function* withChecksums({ files, release, key }: BundleWish, hashes: Map<string, Hash>): Generator<Entry> {
  for (const file of files) {
    hashes.set(file.path, createHash("sha256"));
    yield file;
  }
  const checksums: Checksums = {
    format: "qalqan-bundle-1",
    release,
    files: Object.fromEntries(
      files.map(({ path, bytes, executable }): [string, Checksum] => [
        path,
        {
          sha256: hashes.get(path)?.digest("hex") ?? "",
          bytes,
          ...(executable ? { executable } : {}),
        },
      ]),
    ),
  };
  const list = Buffer.from(`${JSON.stringify(checksums, undefined, 1)}\n`);
  yield ending(checksumsName, list);
  yield ending(signatureName, sign(null, list, key));
}

const ending = (path: string, source: Buffer): Entry => ({
  kind: "file",
  path,
  executable: false,
  bytes: source.length,
  source,
});

function checkPaths(paths: readonly string[]): void {
  const seen = new Set<string>([checksumsName, signatureName]);
  for (const path of paths) {
    if (!staysInFolder(path)) throw new RangeError(`${path} leaves the folder of the bundle`);
    if (seen.has(path)) throw new RangeError(`${path} comes twice in the bundle`);
    seen.add(path);
  }
  if (paths.length > filesMax) throw new RangeError(`a bundle has at most ${filesMax} files`);
}
