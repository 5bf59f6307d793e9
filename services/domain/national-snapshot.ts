import type { NationalRow } from "./national-rows.ts";
import type { DecisionAt } from "./national-table.ts";
import { NationalTable } from "./national-table.ts";

const format = 1;

interface Header {
  format: number;
  region: string;
  sequence: number;
  /** Hexadecimal. */
  digest: string;
  decisions: DecisionAt[];
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
 * A table as lines of JSON: a header, then one row a line. Lines hold no line
 * break. They are of the moment of the call, however slowly they are read.
 */
export function nationalLines(table: NationalTable): Iterable<string> {
  const header: Header = {
    format,
    region: table.region,
    sequence: table.sequence,
    digest: Buffer.from(table.digest).toString("hex"),
    decisions: [...table.decisions()],
    revokedBatches: [...table.revokedBatches()],
  };
  return linesOf(header, [...table.rows()]);
}

function* linesOf(header: Header, rows: readonly NationalRow[]): Generator<string> {
  yield JSON.stringify(header);
  for (const { row } of rows) {
    yield JSON.stringify(row);
  }
}

/**
 * The table that nationalLines wrote.
 * @throws DamagedSnapshot when a line cannot be read or the digest differs
 */
export function nationalFromLines(lines: Iterable<string>): NationalTable {
  const iterator = lines[Symbol.iterator]();
  const header = readHeader(iterator.next());
  const { region, sequence, digest, decisions, revokedBatches } = header;
  const table = new NationalTable(region);
  table.load({ rows: rowsOf(iterator), decisions, revokedBatches });
  if (!table.arrive(sequence, Buffer.from(digest, "hex"))) {
    throw new DamagedSnapshot("its rows do not have the digest in its header");
  }
  return table;
}

function readHeader(first: IteratorResult<string>): Header {
  if (first.done === true) {
    throw new DamagedSnapshot("it is empty");
  }
  // The digest, compared at the end, vouches for what the header says.
  const header = parseLine(first.value) as Partial<Header> | null;
  if (header?.format !== format) {
    throw new DamagedSnapshot(`it is not of format ${format}`);
  }
  return header as Header;
}

function* rowsOf(iterator: Iterator<string>): Generator<NationalRow> {
  for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
    if (next.value !== "") {
      yield { row: parseLine(next.value) as Exclude<NationalRow["row"], undefined> };
    }
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new DamagedSnapshot("a line is no JSON");
  }
}
