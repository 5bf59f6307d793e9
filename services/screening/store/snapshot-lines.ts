import { NationalLinesReader, nationalLines } from "#domain/national-snapshot.ts";
import type { NationalTable } from "#domain/national-table.ts";
import type { OverlayHead, OwnDirective } from "#domain/overlay-state.ts";
import { Overlay } from "#domain/overlay.ts";
import { lanes, type Lane } from "#proto/names.ts";
import type { LaneHashes } from "../enforcement.ts";

const format = 1;

/** Table and overlay at one moment. */
export interface Snapshot {
  readonly table: NationalTable;
  readonly overlay: Overlay;
  /** Epoch of the lanes that the overlay's sequences are of. */
  readonly regionEpoch: number;
  readonly lastOfLanes: LaneHashes;
}

export interface Epochs {
  readonly nationalEpoch: number;
  readonly regionEpoch: number;
}

interface Header {
  readonly format: number;
  readonly nationalEpoch: number;
  readonly regionEpoch: number;
  readonly overlay: OverlayHead;
  /** How many of the overlay's follow, one a line, before the lines of the table. */
  readonly directives: number;
  /** In base64; a file of an older release has none. */
  readonly lastOfLanes?: Partial<Readonly<Record<Lane, string>>>;
}

/** A snapshot as lines of JSON, of the moment of the call, however slowly they are read. */
export function snapshotLines(
  { table, overlay, regionEpoch, lastOfLanes }: Snapshot,
  epochs: Epochs,
): Iterable<string> {
  const directives = overlay.ownDirectives();
  const header: Header = {
    format,
    ...{ nationalEpoch: epochs.nationalEpoch, regionEpoch },
    overlay: overlay.head(),
    directives: overlay.ownCount,
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
  directives: Iterable<unknown>,
  national: Iterable<string>,
): Generator<string> {
  yield JSON.stringify(header);
  for (const directive of directives) yield JSON.stringify(directive);
  yield* national;
}

/** Makes a snapshot of the lines that snapshotLines wrote, given one by one. */
export class SnapshotReader {
  readonly #epochs: Epochs;
  readonly #national = new NationalLinesReader();
  #header: Header | undefined;
  #overlay = new Overlay("");
  #directivesLeft = 0;

  constructor(epochs: Epochs) {
    this.#epochs = epochs;
  }

  /** @throws an error that says what is wrong with it */
  take(line: string): void {
    if (this.#header === undefined) this.#begin(JSON.parse(line) as Header);
    else if (this.#directivesLeft > 0) {
      this.#directivesLeft -= 1;
      const [id, own] = JSON.parse(line) as [string, OwnDirective];
      this.#overlay.restoreOwn(id, own);
    } else this.#national.take(line);
  }

  #begin(header: Header): void {
    if (header.format !== format) throw new Error(`it is of format ${header.format}`);
    if (header.nationalEpoch !== this.#epochs.nationalEpoch)
      throw new Error(`it is of the capital's epoch ${header.nationalEpoch}`);
    this.#header = header;
    this.#overlay = Overlay.restoreHead(header.overlay);
    this.#directivesLeft = header.directives;
  }

  /**
   * The snapshot, once all lines were given.
   * @throws an error that says what is wrong with it
   */
  finish(): Snapshot {
    if (this.#header === undefined) throw new Error("it is empty");
    const { regionEpoch, lastOfLanes } = this.#header;
    const hashOf = (lane: Lane) => {
      const hash = lastOfLanes?.[lane];
      return hash === undefined ? undefined : Buffer.from(hash, "base64");
    };
    return {
      ...{ table: this.#national.finish(), overlay: this.#overlay, regionEpoch },
      lastOfLanes: { events: hashOf("events"), urgent: hashOf("urgent") },
    };
  }
}
