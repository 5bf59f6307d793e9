import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "#platform/log.ts";
import { replaceFile } from "./replace-file.ts";
import { snapshotLines, SnapshotReader, type Epochs, type Snapshot } from "./snapshot-lines.ts";

const fileName = "enforcement.snapshot";
/** What is made or read of the file before questions are answered again (characters, bytes). */
const lengthPerTurn = 128 * 1024;
const checksumPrefix = "sha256 ";

/** A snapshot as it was found. */
export interface FoundSnapshot extends Snapshot {
  /** Milliseconds since 1970. */
  readonly writtenAtMs: number;
}

/**
 * The file from which a replica starts without anybody's help: the lines of a
 * snapshot, and a checksum over all of them. It is never whole in memory: a
 * region with a million directives of its own has more of them than a text may
 * be long.
 */
export class SnapshotFile {
  readonly #folder: string;
  readonly #epochs: Epochs;
  readonly #log: Log;
  #written = "";
  #writing: Promise<unknown> = Promise.resolve();

  constructor(folder: string, epochs: Epochs, log: Log) {
    this.#folder = folder;
    this.#epochs = epochs;
    this.#log = log;
  }

  get path(): string {
    return join(this.#folder, fileName);
  }

  /** The snapshot, or undefined where there is none to be used; a damaged one is named in the log. */
  async read(region: string): Promise<FoundSnapshot | undefined> {
    let file: FileHandle;
    try {
      file = await open(this.path);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { mtimeMs } = await file.stat();
      const snapshot = await readSnapshot(file, this.#epochs);
      if (snapshot.table.region !== region) throw new Error(`it is of ${snapshot.table.region}`);
      this.#written = stateOf(snapshot);
      return { ...snapshot, writtenAtMs: mtimeMs };
    } catch (error) {
      this.#log.error({ event: "snapshot-damaged", reason: String(error) }, "the snapshot is not used");
      return undefined;
    } finally {
      await file.close();
    }
  }

  /**
   * Replaces the file, unless nothing has changed since it was written or read;
   * one write at a time. Questions are answered in between, and table and overlay
   * may change: what is written is the moment at which it began.
   *
   * @returns whether that is the state still
   */
  async write(snapshot: Snapshot): Promise<boolean> {
    const writing = this.#writing.then(() => this.#write(snapshot));
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  async #write(snapshot: Snapshot): Promise<boolean> {
    const state = stateOf(snapshot);
    if (state === this.#written) return true;
    await replaceFile(this.path, withChecksum(snapshotLines(snapshot, this.#epochs)));
    this.#written = state;
    return stateOf(snapshot) === state;
  }
}

/** Names what a snapshot would say. */
function stateOf({ table, overlay, regionEpoch }: Snapshot): string {
  const digest = Buffer.from(table.digest).toString("hex");
  return `${table.sequence} ${digest} ${regionEpoch} ${overlay.eventsSequence} ${overlay.urgentSequence}`;
}

/** Pieces of the file, made one by one as they are written. */
function* withChecksum(lines: Iterable<string>): Generator<string> {
  const checksum = createHash("sha256");
  const pieceOf = (some: readonly string[]) => {
    const piece = `${some.join("\n")}\n`;
    checksum.update(piece, "utf8");
    return piece;
  };
  let some: string[] = [];
  let length = 0;
  for (const line of lines) {
    some.push(line);
    length += line.length;
    if (length < lengthPerTurn) continue;
    yield pieceOf(some);
    [some, length] = [[], 0];
  }
  if (some.length > 0) yield pieceOf(some);
  yield `${checksumPrefix}${checksum.digest("hex")}\n`;
}

/** @throws an error that says what is wrong with it */
async function readSnapshot(file: FileHandle, epochs: Epochs): Promise<Snapshot> {
  const reader = new SnapshotReader(epochs);
  const checksum = createHash("sha256");
  let found: string | undefined;
  /** Of a line whose end has not come: the release before wrote lines of a hundred megabytes. */
  let begun: string[] = [];
  const pieces = file.createReadStream({
    ...{ encoding: "utf8", highWaterMark: lengthPerTurn, autoClose: false },
  });
  for await (const piece of pieces as AsyncIterable<string>) {
    begun.push(piece);
    if (!piece.includes("\n")) continue;
    const lines = begun.join("").split("\n");
    begun = [lines.pop() ?? ""];
    if (lines.at(-1)?.startsWith(checksumPrefix) === true) found = lines.pop();
    for (const line of lines) reader.take(line);
    if (lines.length > 0) checksum.update(`${lines.join("\n")}\n`, "utf8");
  }
  if (begun.join("") !== "" || found !== `${checksumPrefix}${checksum.digest("hex")}`)
    throw new Error("its checksum is wrong");
  return reader.finish();
}
