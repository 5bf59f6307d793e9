import type { Command } from "commander";
import { join, resolve } from "node:path";
import { parseCount } from "../../durations.ts";
import { WrongUse } from "../../failure.ts";
import { faultKinds, type FaultKind } from "../../faults/schedule.ts";
import { mergeResults, passed, totalLines, totalsOf, type RunResult } from "../../faults/results.ts";
import { dataFolderOf } from "../../login-file.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, note } from "../../output.ts";

interface Options {
  readonly seed: string;
  readonly minutes: string;
  readonly runs: string;
  readonly results?: readonly string[];
  readonly faults?: string;
  readonly summary?: boolean;
}

const runsMax = 100_000;
const minutesMax = 7 * 24 * 60;
const seedMax = 2 ** 31;

export function define(command: Command): void {
  command
    .option("--seed <n>", "of the first run; each later one has the next", "1")
    .option("--minutes <n>", "no run begins later", "10")
    .option("--runs <n>", "at most", String(runsMax))
    .option(
      "--results <files...>",
      "one line a run is added there (default: faults.jsonl in the data folder); a summary takes several",
    )
    .option("--faults <kinds>", `some of these (default: all): ${faultKinds.join(",")}`)
    .option("--summary", "only print the totals of the results files")
    .addHelpText(
      "after",
      "\nFaults under load on the nation of the data folder, which is started when it does not run (three" +
        "\nregions, a hub of three). After each run everything is mended, and what was acknowledged is compared" +
        "\nwith what every region enforces. A later call goes on after the last seed of the results file that had" +
        "\nthe same kinds of faults.",
    )
    .action(async (given: Options, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const dataFolder = dataFolderOf(options);
      const files = (given.results ?? [join(dataFolder, "faults.jsonl")]).map((file) => resolve(file));
      const own =
        given.summary === true ? undefined : await run(given, options, dataFolder, onlyOneOf(files));
      const all = mergeResults(files);
      const totals = totalsOf(all);
      answer(options, totals, () => totalLines(totals));
      // A call fails by its own runs, a summary by any.
      if (!(own ?? all).every(passed)) process.exitCode = 1;
    });
  examples(
    command,
    "qalqan local chaos --seed 1 --minutes 5 --data /tmp/nation",
    "qalqan local chaos --runs 20 --faults kill,half-open --results /tmp/runs.jsonl",
    "qalqan local chaos --summary --results /tmp/runs.jsonl /tmp/other-runs.jsonl",
  );
}

function onlyOneOf(files: readonly string[]): string {
  const [file, ...more] = files;
  if (file !== undefined && more.length === 0) return file;
  throw new WrongUse({
    field: "results",
    value: files.join(" "),
    message: "runs are added to one file",
    remedy: "name one, or ask for the --summary of all",
  });
}

async function run(
  given: Options,
  options: GlobalOptions,
  dataFolder: string,
  resultsFile: string,
): Promise<readonly RunResult[]> {
  const kinds = kindsOf(given.faults);
  const firstSeed = parseCount("seed", given.seed, 0, seedMax);
  const runs = parseCount("runs", given.runs, 1, runsMax);
  const untilMs = Date.now() + parseCount("minutes", given.minutes, 1, minutesMax) * 60_000;
  const { nationForFaults } = await import("../../faults/nation.ts");
  const { runChaos } = await import("../../faults/chaos.ts");
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => interrupted.abort());
  await using nation = await nationForFaults(options, dataFolder, note);
  const { control } = nation;
  for (const { kind, why } of (await control.status()).impossible)
    if (kinds.includes(kind)) note(`skipped: ${kind}: ${why}`);
  const impossible = (await control.status()).impossible.map(({ kind }) => kind);
  return await runChaos({
    dataFolder,
    control,
    firstSeed,
    runsMax: runs,
    untilMs,
    kinds: kinds.filter((kind) => !impossible.some((each) => each === kind)),
    resultsFile,
    report: (line) => note(`${renewed}${line}`),
    progress: (line) => process.stderr.write(`${renewed}${line}${isTerminal ? "" : "\n"}`),
    signal: interrupted.signal,
  });
}

/** On a terminal one line renews itself while a run goes on. */
const isTerminal = process.stderr.isTTY;
const renewed = isTerminal ? "\r\u001B[2K" : "";

function kindsOf(text: string | undefined): readonly FaultKind[] {
  if (text === undefined) return faultKinds;
  return text.split(",").map((word) => {
    const kind = faultKinds.find((each) => each === word.trim());
    if (kind !== undefined) return kind;
    throw new WrongUse({
      field: "faults",
      value: word,
      message: "this is no kind of fault",
      remedy: `give some of ${faultKinds.join(",")}`,
    });
  });
}
