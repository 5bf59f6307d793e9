import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { nationalFromLines, nationalLines } from "#domain/national-snapshot.ts";
import type { NationalTable } from "#domain/national-table.ts";
import type { OverlayState } from "#domain/overlay-state.ts";
import { Overlay } from "#domain/overlay.ts";
import type { Log } from "#platform/log.ts";
import { lanes, type Lane } from "#proto/names.ts";
import type { LaneHashes } from "../enforcement.ts";
import { replaceFile } from "./replace-file.ts";

const format = 1;
const fileName = "enforcement.snapshot";
/** Lines that are made before questions are answered again. */
const linesPerTurn = 500;
const checksumPrefix = "sha256 ";

/** Table and overlay at one moment. */
export interface Snapshot {
  readonly table: NationalTable;
  readonly overlay: Overlay;
  /** Epoch of the lanes that the overlay's sequences are of. */
  readonly regionEpoch: number;
  readonly lastOfLanes: LaneHashes;
}

/** A snapshot as it was found. */
export interface FoundSnapshot extends Snapshot {
  /** Milliseconds since 1970. */
  readonly writtenAtMs: number;
}

interface Header {
  readonly format: number;
  readonly nationalEpoch: number;
  readonly regionEpoch: number;
  /** The overlay without its directives, which follow, one a line. */
  readonly overlay: OverlayState;
  readonly directives: number;
  /** In base64; a file of an older release has none. */
  readonly lastOfLanes?: Partial<Readonly<Record<Lane, string>>>;
}

export interface Epochs {
  readonly nationalEpoch: number;
  readonly regionEpoch: number;
}

/**
 * The file from which a replica starts without anybody's help: a header, the
 * overlay's directives, the rows of the table, and a checksum over all of it.
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
    let text: string;
    let writtenAtMs: number;
    try {
      text = await readFile(this.path, "utf8");
      writtenAtMs = (await stat(this.path)).mtimeMs;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const snapshot = parseSnapshot(text, this.#epochs);
      if (snapshot.table.region !== region) throw new Error(`it is of ${snapshot.table.region}`);
      this.#written = stateOf(snapshot);
      return { ...snapshot, writtenAtMs };
    } catch (error) {
      this.#log.error({ event: "snapshot-damaged", reason: String(error) }, "the snapshot is not used");
      return undefined;
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
    const chunks: string[] = [];
    let lines: string[] = [];
    for (const line of snapshotLines(snapshot, this.#epochs)) {
      lines.push(line);
      if (lines.length < linesPerTurn) continue;
      chunks.push(`${lines.join("\n")}\n`);
      lines = [];
      await turn();
    }
    chunks.push(`${lines.join("\n")}\n`);
    await this.#replace(chunks);
    this.#written = state;
    return stateOf(snapshot) === state;
  }

  async #replace(chunks: readonly string[]): Promise<void> {
    const checksum = createHash("sha256");
    for (const chunk of chunks) checksum.update(chunk, "utf8");
    await replaceFile(this.path, [...chunks, `${checksumPrefix}${checksum.digest("hex")}\n`]);
  }
}

/** Names what a snapshot would say. */
function stateOf({ table, overlay, regionEpoch }: Snapshot): string {
  const digest = Buffer.from(table.digest).toString("hex");
  return `${table.sequence} ${digest} ${regionEpoch} ${overlay.eventsSequence} ${overlay.urgentSequence}`;
}

/** Of the moment of the call: the rows are replaced, never changed, and what is known of a directive is copied. */
function snapshotLines(
  { table, overlay, regionEpoch, lastOfLanes }: Snapshot,
  epochs: Epochs,
): Iterable<string> {
  const { directives: own, ...rest } = overlay.serialise();
  const directives = own.map(([id, known]) => [id, { ...known }] as const);
  const header: Header = {
    format,
    ...{ nationalEpoch: epochs.nationalEpoch, regionEpoch },
    overlay: { ...rest, directives: [] },
    directives: directives.length,
    lastOfLanes: Object.fromEntries(
      lanes.flatMap((lane) => {
        const hash = lastOfLanes[lane];
        return hash === undefined ? [] : [[lane, hash.toString("base64")]];
      }),
    ),
  };
  return linesOf(header, directives, nationalLines(table));
}

function* linesOf(
  header: Header,
  directives: readonly unknown[],
  national: Iterable<string>,
): Generator<string> {
  yield JSON.stringify(header);
  for (const directive of directives) yield JSON.stringify(directive);
  yield* national;
}

/** @throws an error that says what is wrong with it */
function parseSnapshot(text: string, epochs: Epochs): Snapshot {
  const end = text.lastIndexOf(checksumPrefix);
  const content = text.slice(0, end);
  const checksum = createHash("sha256").update(content, "utf8").digest("hex");
  if (end < 0 || text.slice(end) !== `${checksumPrefix}${checksum}\n`)
    throw new Error("its checksum is wrong");
  const lines = content.split("\n");
  const header = JSON.parse(lines[0] ?? "") as Header;
  if (header.format !== format) throw new Error(`it is of format ${header.format}`);
  if (header.nationalEpoch !== epochs.nationalEpoch)
    throw new Error(`it is of the capital's epoch ${header.nationalEpoch}`);
  const tableFrom = 1 + header.directives;
  const directives = lines
    .slice(1, tableFrom)
    .map((line) => JSON.parse(line) as OverlayState["directives"][number]);
  const overlay = Overlay.restore({ ...header.overlay, directives });
  const { regionEpoch, lastOfLanes } = header;
  const hashOf = (lane: Lane) => {
    const hash = lastOfLanes?.[lane];
    return hash === undefined ? undefined : Buffer.from(hash, "base64");
  };
  return {
    ...{ table: nationalFromLines(lines.slice(tableFrom)), overlay, regionEpoch },
    lastOfLanes: { events: hashOf("events"), urgent: hashOf("urgent") },
  };
}
