import type { NationalRow } from "./national-rows.ts";
import type { DecisionAt } from "./national-table.ts";
import { NationalTable } from "./national-table.ts";

const format = 2;
/** Of the release before: all decisions stand in the header, which is one line however many they are. */
const formatBefore = 1;

interface Header {
  format: number;
  region: string;
  sequence: number;
  /** Hexadecimal. */
  digest: string;
  /** How many follow, one a line, before the rows. */
  decisions: number | DecisionAt[];
  revokedBatches: string[];
}

/** A snapshot file that is not what was written: cut short, changed, or of another format. */
export class DamagedSnapshot extends Error {
  constructor(what: string) {
    super(`the snapshot cannot be used: ${what}`);
    this.name = "DamagedSnapshot";
  }
}

/**
 * A table as lines of JSON: a header, then one decision or row a line. Lines
 * hold no line break. They are of the moment of the call, however slowly they are read.
 */
export function nationalLines(table: NationalTable): Iterable<string> {
  const decisions = table.decisions();
  const header: Header = {
    format,
    region: table.region,
    sequence: table.sequence,
    digest: Buffer.from(table.digest).toString("hex"),
    decisions: decisions.length,
    revokedBatches: [...table.revokedBatches()],
  };
  return linesOf(header, decisions, table.rows());
}

function* linesOf(
  header: Header,
  decisions: readonly DecisionAt[],
  rows: Iterable<NationalRow>,
): Generator<string> {
  yield JSON.stringify(header);
  for (const decision of decisions) yield JSON.stringify(decision);
  for (const { row } of rows) yield JSON.stringify(row);
}

/** Makes a table of the lines that nationalLines wrote, given one by one. */
export class NationalLinesReader {
  #header: Header | undefined;
  #table = new NationalTable("");
  #decisionsLeft = 0;

  /** @throws DamagedSnapshot when the line cannot be read */
  take(line: string): void {
    if (this.#header === undefined) this.#begin(parseLine(line));
    else if (this.#decisionsLeft > 0) {
      this.#decisionsLeft -= 1;
      this.#table.load({ ...nothing, decisions: [parseLine(line) as DecisionAt] });
    } else if (line !== "") {
      const row = parseLine(line) as Exclude<NationalRow["row"], undefined>;
      this.#table.load({ ...nothing, rows: [{ row }] });
    }
  }

  #begin(first: unknown): void {
    // The digest, compared at the end, vouches for what the header says.
    const header = first as Partial<Header> | null;
    if (header?.format !== format && header?.format !== formatBefore)
      throw new DamagedSnapshot(`it is not of format ${format}`);
    this.#header = header as Header;
    const { region, decisions, revokedBatches } = this.#header;
    this.#table = new NationalTable(region);
    const isBefore = typeof decisions !== "number";
    this.#table.load({ ...nothing, decisions: isBefore ? decisions : [], revokedBatches });
    this.#decisionsLeft = isBefore ? 0 : decisions;
  }

  /**
   * The table, once all lines were given.
   * @throws DamagedSnapshot when lines are missing or the digest differs
   */
  finish(): NationalTable {
    if (this.#header === undefined) throw new DamagedSnapshot("it is empty");
    const { sequence, digest } = this.#header;
    if (this.#decisionsLeft > 0 || !this.#table.arrive(sequence, Buffer.from(digest, "hex")))
      throw new DamagedSnapshot("its rows do not have the digest in its header");
    return this.#table;
  }
}

const nothing = { rows: [], decisions: [], revokedBatches: [] } as const;

/**
 * The table that nationalLines wrote.
 * @throws DamagedSnapshot when a line cannot be read or the digest differs
 */
export function nationalFromLines(lines: Iterable<string>): NationalTable {
  const reader = new NationalLinesReader();
  for (const line of lines) reader.take(line);
  return reader.finish();
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new DamagedSnapshot("a line is no JSON");
  }
}
