import type { Command } from "commander";
import { parseSpan } from "../../durations.ts";
import { WrongUse } from "../../failure.ts";
import { localControl } from "../../local-fault.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

interface Options {
  readonly ahead?: string;
  readonly behind?: string;
}

export function define(command: Command): void {
  command
    .argument("<site>", "region, or capital: its Node and PostgreSQL processes")
    .option("--ahead <span>", "for example 90s, 10m, 1h")
    .option("--behind <span>", "likewise")
    .action(async (site: string, given: Options, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const aheadSeconds = aheadSecondsOf(given);
      await (await localControl(options)).skew(site, aheadSeconds);
      answer(options, { site, aheadSeconds }, () => `the clock of ${site} is wrong by ${aheadSeconds} s`);
    });
  examples(command, "qalqan local skew astana --ahead 10m", "qalqan local heal astana");
}

function aheadSecondsOf({ ahead, behind }: Options): number {
  const spanMs = parseSpan(ahead ?? behind ?? "");
  if (spanMs === undefined || (ahead !== undefined && behind !== undefined)) {
    throw new WrongUse({
      field: ahead === undefined ? "behind" : "ahead",
      value: ahead ?? behind ?? "",
      message: "by how much the clock is to be wrong is not clear",
      remedy: "give --ahead 10m or --behind 10m",
    });
  }
  return (ahead === undefined ? -1 : 1) * (spanMs / 1_000);
}
