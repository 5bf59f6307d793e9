/** How a command answers: a document for programs, or lines for a person. */
export interface OutputOptions {
  readonly json?: boolean;
}

/**
 * Writes the answer to standard output: with --json the document alone, else
 * the lines. Everything else that a command says goes to standard error.
 */
export function answer(
  options: OutputOptions,
  document: unknown,
  lines: () => string | readonly string[],
): void {
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(document)}\n`);
    return;
  }
  const text = lines();
  const all = typeof text === "string" ? [text] : text;
  if (all.length > 0) process.stdout.write(`${all.join("\n")}\n`);
}

/** Tells the person something beside the answer. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Aligned columns under a heading; columns of numbers are aligned to the right. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const isNumeric = heading.map(
    (_, column) =>
      rows.length > 0 && rows.every((row) => /^(-|[\d, ]+( ?ms| ?s| ?%)?)$/.test(row[column] ?? "")),
  );
  const line = (cells: readonly string[]) =>
    widths
      .map((width, column) => {
        const cell = cells[column] ?? "";
        return isNumeric[column] === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [line(heading.map((title) => title.toUpperCase())), ...rows.map(line)];
}

/** `1 region`, `3 regions`. */
export function plural(count: number, singular: string, many = `${singular}s`): string {
  return `${groupDigits(count)} ${count === 1 ? singular : many}`;
}

/** `76,351`. */
export function groupDigits(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** ISO 8601 with milliseconds; null where it is not known (0). */
export function isoTime(atMs: number): string | null {
  return atMs > 0 ? new Date(atMs).toISOString() : null;
}

/** Local time of day with milliseconds and date, for a person; `-` where it is not known. */
export function shownTime(atMs: number): string {
  return isoTime(atMs)?.replace("T", " ").replace("Z", " UTC") ?? "-";
}
