import { parseNorthAmerican } from "#domain/number.ts";
import { CommandFailed } from "./failure.ts";

/** How a file of reported numbers is read. */
export type ReportFormat = "csv" | "ftc-json";
export const reportFormats: readonly ReportFormat[] = ["csv", "ftc-json"];

/** One entry as it stands in the file. */
export interface ReportedEntry {
  /** From 0; a header is no entry. */
  readonly index: number;
  readonly number: string;
}

/** A longer element means that the file is no such file. */
const elementCharactersMax = 64 * 1024;
const numberColumns = /^(phone|number|tel|telephone|msisdn|(company_?|company-)?phone[_ -]?number)$/i;

/**
 * Reads the entries of a file while it streams by.
 *
 * @throws CommandFailed `invalid-file` at the first thing that is no such format
 */
export function readEntries(
  format: ReportFormat,
  text: AsyncIterable<string>,
): AsyncGenerator<ReportedEntry> {
  return format === "csv" ? csvEntries(text) : jsonEntries(text);
}

/**
 * How the entry is dialled, for the centre. The files of the US Federal Trade
 * Commission mean ten digits as +1; what is no such number is refused here.
 *
 * @throws InvalidInput `invalid-number`
 */
export function dialledForm(format: ReportFormat, number: string): string {
  return format === "ftc-json" ? parseNorthAmerican("number", number) : number;
}

async function* csvEntries(text: AsyncIterable<string>): AsyncGenerator<ReportedEntry> {
  let column: number | undefined;
  let index = 0;
  for await (const row of csvRows(text)) {
    if (row.length === 1 && row[0]?.trim() === "") continue;
    if (column === undefined) {
      const named = row.findIndex((cell) => numberColumns.test(cell.trim()));
      column = Math.max(named, 0);
      const isHeader = named !== -1 || !/\d/.test(row[0] ?? "");
      if (isHeader) continue;
    }
    yield { index, number: (row[column] ?? "").trim() };
    index += 1;
  }
}

/** Rows of cells by RFC 4180; the first line says whether comma, semicolon or tab divides them. */
async function* csvRows(text: AsyncIterable<string>): AsyncGenerator<string[]> {
  let divider: string | undefined;
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  let previous = "";
  for await (const chunk of text) {
    for (const character of chunk) {
      if (quoted) {
        // A quote ends the cell, unless another follows: then it stands for itself.
        if (character === '"') quoted = false;
        else cell += character;
      } else if (character === '"') {
        if (previous === '"' && cell !== "") cell += '"';
        quoted = true;
      } else if (character === divider || (divider === undefined && /[,;\t]/.test(character))) {
        divider = character;
        row.push(cell);
        cell = "";
      } else if (character === "\n") {
        yield [...row, cell.replace(/\r$/, "")];
        row = [];
        cell = "";
      } else if (character !== "\uFEFF") {
        cell += character;
      }
      previous = character;
      if (cell.length > elementCharactersMax)
        throw invalidFile("csv", `a cell is longer than ${elementCharactersMax}`);
    }
  }
  if (quoted) throw invalidFile("csv", "a quote is not closed");
  if (cell !== "" || row.length > 0) yield [...row, cell.replace(/\r$/, "")];
}

async function* jsonEntries(text: AsyncIterable<string>): AsyncGenerator<ReportedEntry> {
  let index = 0;
  for await (const element of arrayElements(text)) {
    yield { index, number: numberIn(element) };
    index += 1;
  }
}

/** An element is the number itself, or an object that has it; anything else stands as it is and is refused. */
function numberIn(element: unknown): string {
  if (typeof element === "string") return element;
  if (typeof element !== "object" || element === null) return JSON.stringify(element);
  const attributes: unknown = (element as { attributes?: unknown }).attributes;
  const holder = typeof attributes === "object" && attributes !== null ? attributes : element;
  const found = Object.entries(holder).find(([name]) => numberColumns.test(name));
  return found === undefined ? "" : String(found[1]);
}

/** The elements of one JSON array, each parsed when its text has come; the array never is in memory. */
async function* arrayElements(text: AsyncIterable<string>): AsyncGenerator {
  let state: "before" | "within" | "after" = "before";
  let element = "";
  let depth = 0;
  let inString = false;
  let escaped = false;
  let afterComma = false;
  for await (const chunk of text) {
    for (const character of chunk) {
      if (state !== "within") {
        if (/\s|\uFEFF/.test(character)) continue;
        if (state === "after" || character !== "[") throw invalidFile("ftc-json", "it is not one JSON array");
        state = "within";
        continue;
      }
      if (!inString && depth === 0 && (character === "," || character === "]")) {
        if (element.trim() !== "") yield parseElement(element);
        else if (character === "," || afterComma) throw invalidFile("ftc-json", "an element is empty");
        element = "";
        afterComma = character === ",";
        if (character === "]") state = "after";
        continue;
      }
      element += character;
      if (element.length > elementCharactersMax) {
        throw invalidFile("ftc-json", `an element is longer than ${elementCharactersMax}`);
      }
      if (inString) {
        if (escaped) escaped = false;
        else if (character === "\\") escaped = true;
        else if (character === '"') inString = false;
      } else if (character === '"') inString = true;
      else if (character === "[" || character === "{") depth += 1;
      else if (character === "]" || character === "}") depth -= 1;
    }
  }
  if (state !== "after") throw invalidFile("ftc-json", "it ends before its array does");
}

function parseElement(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidFile("ftc-json", `this is no JSON: ${text.trim().slice(0, 60)}`);
  }
}

function invalidFile(format: ReportFormat, message: string): CommandFailed {
  return new CommandFailed({
    code: "invalid-file",
    field: "file",
    value: "",
    message: `the file cannot be read as ${format}: ${message}; nothing was imported`,
    remedy:
      format === "csv"
        ? "give one number a line, or a column named number or phone"
        : "give a JSON array of numbers, or of objects with a field number or phone",
  });
}
