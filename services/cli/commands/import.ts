import { createHash } from "node:crypto";
import { createReadStream, statSync, writeFileSync } from "node:fs";
import { Argument, type Command } from "commander";
import { actions } from "#domain/vocabulary.ts";
import type { EnforcementReceipt } from "#proto/qalqan/centre/v1/centre.ts";
import { withSession } from "../action.ts";
import { followBatch } from "../answer-directive.ts";
import { missingLines, receiptDocuments } from "../directive-view.ts";
import { parseEnd } from "../durations.ts";
import { CommandFailed, WrongUse } from "../failure.ts";
import { examples, regionOption, waitOption, wordOption, type GlobalOptions } from "../options.ts";
import { answer, groupDigits, note, plural } from "../output.ts";
import { first } from "../people.ts";
import { progressBar } from "../progress-bar.ts";
import { readEntries, reportFormats, type ReportFormat } from "../reported-numbers.ts";
import { sendImport, type ImportOutcome, type Refused } from "../send-import.ts";
import type { CentreRemote, Session } from "../session.ts";

interface Options {
  region: string;
  format: string;
  action: string;
  basis: string;
  reason: string;
  expires: string;
  dryRun?: boolean;
  wait?: number;
}

export function define(command: Command): void {
  command
    .addArgument(new Argument("<file>", "reported numbers"))
    .addOption(regionOption("region that imports them", true))
    .addOption(
      wordOption(
        "--format <format>",
        "csv: a number a line, or a column number or phone",
        reportFormats,
      ).makeOptionMandatory(true),
    )
    .addOption(wordOption("--action <action>", "what happens to calls from them", actions).default("warn"))
    .option("--basis <code>", "legal basis (see `directive bases`)", "communications-law-41-1")
    .option("--reason <code>", "reason code (see `directive reasons`)", "fraud")
    .option("--expires <end>", "24h, 7d, or a time (ISO 8601)", "7d")
    .option("--dry-run", "count and check, write nothing")
    .addOption(waitOption())
    .addHelpText(
      "after",
      "\nAn import is one batch: a second person approves it, and it is revoked as one. The same file again changes nothing.",
    )
    .action(withSession(run, check));
  examples(
    command,
    "qalqan import reported.csv --region almaty --format csv --dry-run",
    "qalqan import 2021-04-14.json --region almaty --format ftc-json",
    "qalqan directive approve --batch almaty-01K0000000000000000000000B --wait",
  );
}

async function run(session: Session, options: Options & GlobalOptions, file: string): Promise<void> {
  const format = formatOf(options.format);
  const expiresAtMs = parseEnd("expires", options.expires, Date.now());
  const bytes = sizeOf(file);
  const contentKey = await contentKeyOf(file, options);
  const centre = await session.centre(options.region, first("operator", options.region));
  const header = {
    action: options.action,
    basis: options.basis,
    reason: options.reason,
    expiresAtMs,
    dryRun: options.dryRun ?? false,
    contentKey,
    scope: "",
  };
  const bar = await progressBar("importing", bytes, options.json === true);
  let outcome: ImportOutcome;
  try {
    outcome = await sendImport(
      centre,
      header,
      format,
      readEntries(
        format,
        textOf(file, (read) => bar.update(read)),
      ),
    );
  } finally {
    bar.stop();
  }
  const refusedFile = options.dryRun === true ? undefined : writeRefused(file, outcome.refused);
  if (options.json !== true) answer(options, undefined, () => summaryLines(outcome, options, refusedFile));
  const receipts = await receiptsOf(centre, outcome, options);
  if (options.json === true) answer(options, documentOf(outcome, receipts), () => []);
}

/** With --wait, those of the batch's last directive; a batch that is held, or empty, is not waited for. */
async function receiptsOf(centre: CentreRemote, { last }: ImportOutcome, options: Options & GlobalOptions) {
  if (options.wait === undefined || last.batch === "" || last.state === "held") return [];
  const view = await centre.call("getBatch", { batch: last.batch });
  return (await followBatch(centre, view, options)).receipts;
}

function check({ format, expires }: Options, file: string): void {
  formatOf(format);
  parseEnd("expires", expires, Date.now());
  sizeOf(file);
}

function formatOf(text: string): ReportFormat {
  const format = reportFormats.find((known) => known === text);
  if (format !== undefined) return format;
  throw new WrongUse({
    field: "format",
    value: text,
    message: "this format is not known",
    remedy: `give one of: ${reportFormats.join(", ")}`,
  });
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw new CommandFailed({
      code: "no-such-file",
      field: "file",
      value: file,
      message: `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "give the path of a readable file",
    });
  }
}

/** The same file with the same wishes has the same key, whenever it is imported. */
async function contentKeyOf(file: string, options: Options): Promise<string> {
  const { format, action, basis, reason, expires } = options;
  const hash = createHash("sha256").update(JSON.stringify({ format, action, basis, reason, expires }));
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function* textOf(file: string, onRead: (bytes: number) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let read = 0;
  for await (const chunk of createReadStream(file)) {
    const bytes = chunk as Buffer;
    read += bytes.length;
    yield decoder.decode(bytes, { stream: true });
    onRead(read);
  }
  yield decoder.decode();
}

/** Beside the file, so that its owner finds and corrects them; undefined: none was refused. */
function writeRefused(file: string, refused: readonly Refused[]): string | undefined {
  if (refused.length === 0) return undefined;
  const path = `${file}.refused.csv`;
  const cell = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = refused.map(({ index, number, reason }) => `${index},${cell(number)},${reason}`);
  try {
    writeFileSync(path, ["index,number,reason", ...lines, ""].join("\n"), { mode: 0o600 });
    return path;
  } catch (error) {
    note(
      `the refused entries cannot be written to ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

function countsOf({ last, refused, refusedHere }: ImportOutcome) {
  const byReason = new Map<string, number>();
  for (const { reason } of refused) byReason.set(reason, (byReason.get(reason) ?? 0) + 1);
  return {
    batch: last.batch === "" ? null : last.batch,
    entries: last.entries + refusedHere,
    accepted: last.accepted,
    merged: last.merged,
    refused: Object.fromEntries(byReason),
  };
}

function documentOf(outcome: ImportOutcome, receipts: readonly EnforcementReceipt[]) {
  const { state, missing, repeatedImport } = outcome.last;
  return { ...countsOf(outcome), state, missing, repeatedImport, receipts: receiptDocuments(receipts) };
}

/** So many refused entries are named; all are in the file. */
const refusedShown = 5;

function summaryLines(outcome: ImportOutcome, options: Options, refusedFile: string | undefined): string[] {
  const { batch, entries, accepted, merged, refused } = countsOf(outcome);
  const { last } = outcome;
  const reasons = Object.entries(refused).flatMap(([reason, count]) => {
    const places = outcome.refused.filter((entry) => entry.reason === reason).slice(0, refusedShown);
    const more = count > refusedShown ? ", …" : "";
    return [
      `  ${groupDigits(count)} ${reason} (entries ${places.map(({ index }) => index).join(", ")}${more})`,
    ];
  });
  const total = Object.values(refused).reduce((sum, count) => sum + count, 0);
  const head =
    options.dryRun === true
      ? "dry run, nothing was written"
      : last.repeatedImport
        ? `imported before as ${batch ?? ""}: nothing changed`
        : `${batch ?? ""}  ${last.state}`;
  return [
    head,
    `${plural(entries, "entry", "entries")}: ${groupDigits(accepted)} accepted, ${groupDigits(merged)} merged, ${groupDigits(total)} refused`,
    ...reasons,
    ...(refusedFile === undefined ? [] : [`  all refused ones: ${refusedFile}`]),
    ...(batch === null || options.dryRun === true || last.state !== "held"
      ? []
      : missingLines(last.missing, `--batch ${batch}`)),
  ];
}
