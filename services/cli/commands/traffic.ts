import type { Command } from "commander";
import { ulid } from "ulid";
import { withSession } from "../action.ts";
import { parseCount } from "../durations.ts";
import { WrongUse } from "../failure.ts";
import { dataFolderOf } from "../login-file.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer, note } from "../output.ts";
import type { Session } from "../session.ts";
import { accessAsSwitch } from "../traffic/access.ts";
import { readPopulation, type Population } from "../traffic/population.ts";
import { liveLine, trafficDocument, trafficLines } from "../traffic/report.ts";
import { runTraffic, type TrafficState } from "../traffic/run.ts";

interface Options {
  regions?: string;
  callsPerSecond: string;
  seconds?: string;
  calls?: string;
  seed?: string;
  at?: string;
}

/** No machine of ours asks faster; a typing error should not try. */
const callsPerSecondMax = 100_000;
const secondsMax = 366 * 86_400;
const callsMax = 1_000_000_000;
const seedMax = 2 ** 32 - 1;
/** The switch's own timer (domain.md has 400 ms for the forged check, where nobody is asked yet). */
const answerWaitMs = 250;
/** Questions of one region under way at once; beyond that calls go on unasked. */
const inFlightMax = 1_000;
/** As fast as possible, more under way would make each wait for the others, and nothing faster. */
const inFlightUnpacedMax = 100;
const asFastAsPossible = "max";

export function define(command: Command): void {
  command
    .option("--regions <a,b>", "regions whose switches ask (default: all that run)")
    .option(
      "--calls-per-second <n>",
      `in the nation at the busiest hour of the day, or \`${asFastAsPossible}\`: as fast as screening answers`,
      "20",
    )
    .option("--seconds <s>", "end after so many seconds (default: at Ctrl-C)")
    .option("--calls <n>", "end after so many calls")
    .option("--seed <n>", "the same seed gives the same calls (default: by chance, and said)")
    .option("--at <hh:mm>", "time of day in Kazakhstan at the beginning (default: now)")
    .action(withSession(run));
  examples(
    command,
    "qalqan traffic --calls-per-second 50 --seconds 60",
    "qalqan traffic --calls 10000 --calls-per-second max --seed 7 --json",
  );
}

async function run(session: Session, options: Options & GlobalOptions): Promise<void> {
  const population = readPopulation();
  const seed =
    options.seed === undefined
      ? Math.floor(Math.random() * seedMax)
      : parseCount("seed", options.seed, 0, seedMax);
  const callsPerSecond =
    options.callsPerSecond === asFastAsPossible
      ? undefined
      : parseCount("calls-per-second", options.callsPerSecond, 1, callsPerSecondMax);
  const calls = options.calls === undefined ? undefined : parseCount("calls", options.calls, 1, callsMax);
  const seconds =
    options.seconds === undefined ? undefined : parseCount("seconds", options.seconds, 1, secondsMax);
  const beginsAtMs = options.at === undefined ? Date.now() : timeOfDay(options.at, population, Date.now());
  const signal = endSignal();
  const slugs = options.regions === undefined || options.regions === "all" ? [] : options.regions.split(",");
  const access = await accessAsSwitch(session, dataFolderOf(options), slugs, population, signal);
  const ends =
    seconds === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)]);
  const plan = {
    ...{ seed, run: ulid(), callsPerSecond, beginsAtMs, callsMax: calls, answerWaitMs },
    inFlightMax: callsPerSecond === undefined ? inFlightUnpacedMax : inFlightMax,
  };
  const live = liveReport(options);
  const state = await runTraffic(population, access, plan, ends, live.show);
  live.end();
  const document = trafficDocument(
    state,
    seed,
    access.regions.map(({ region }) => region.slug),
  );
  answer(options, document, () => trafficLines(document));
}

/** Aborted at Ctrl-C and SIGTERM, and when a parent process that holds a channel to this one is gone. */
function endSignal(): AbortSignal {
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  process.once("disconnect", () => end.abort());
  // Listening alone would keep this process alive.
  process.channel?.unref();
  return end.signal;
}

function liveReport(options: GlobalOptions): { show: (state: TrafficState) => void; end: () => void } {
  if (options.json === true || !process.stderr.isTTY) {
    return { show: () => undefined, end: () => undefined };
  }
  note("asking as switches do; Ctrl-C ends it with a summary");
  return {
    // Back to the beginning of the line, and clear what is left of it (ECMA-48 EL).
    show: (state) => void process.stderr.write(`\r\u001b[K${liveLine(state)}`),
    end: () => void process.stderr.write("\r\u001b[K"),
  };
}

/** That time of today in Kazakhstan, milliseconds since 1970. @throws WrongUse */
function timeOfDay(text: string, { utcOffsetHours }: Population, nowMs: number): number {
  const [, hours = "", minutes = ""] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hours === "") {
    throw new WrongUse({
      field: "at",
      value: text,
      message: "this is not a time of day",
      remedy: "give hours and minutes, for example 11:30",
    });
  }
  const midnightUtcMs = nowMs - (nowMs % 86_400_000);
  return midnightUtcMs + (Number(hours) - utcOffsetHours) * 3_600_000 + Number(minutes) * 60_000;
}
