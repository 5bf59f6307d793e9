import type { Command } from "commander";
import { resolve } from "node:path";
import { parseCount } from "../durations.ts";
import { WrongUse } from "../failure.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { firstRegions, regionSlugs } from "../regions-folder.ts";

interface Options {
  regions?: string;
  traffic: string;
  backups?: string;
  hub?: string;
}

/** Calls a second in the nation at the busiest hour: seen on the page, hardly felt on two cores. */
const defaultCallsPerSecond = "20";
const callsPerSecondMax = 10_000;

export function define(command: Command): void {
  command
    .option(
      "--regions <slugs>",
      "regions to run beside the capital: a,b or all (default: the first waves of the rollout)",
    )
    .option(
      "--traffic <n>",
      "calls a second of the switch simulator at the busiest hour, or off",
      defaultCallsPerSecond,
    )
    .option(
      "--backups <dir>",
      "from now on, and at every later start: keep base backups and a WAL archive there; off: no more",
    )
    .option("--hub <nodes>", "nodes of the hub, 1 or 3 (default: as the data folder has it, else 1)")
    .addHelpText(
      "after",
      [
        "\nAll state is in the data folder (--data): a second start goes on with it. Ctrl-C stops all cleanly.",
        "Ports are chosen once for a data folder; QALQAN_PORTS=20000-20999 has them chosen there.",
      ].join("\n"),
    )
    .action(async (_given: Options, self: Command) => {
      const options = self.optsWithGlobals<Options & GlobalOptions>();
      const callsPerSecond =
        options.traffic === "off" ? 0 : parseCount("traffic", options.traffic, 0, callsPerSecondMax);
      const { runNation } = await import("../run-nation.ts");
      await runNation(options, await regionsOf(options.regions), callsPerSecond, {
        ...(options.backups === undefined ? {} : { backups: backupsFolder(options.backups) }),
        ...(options.hub === undefined ? {} : { hubNodes: hubNodesOf(options.hub) }),
      });
    });
  examples(
    command,
    "qalqan start",
    "qalqan start --hub 3",
    "qalqan start --regions all --data /tmp/nation --traffic off",
    "qalqan start --backups /mnt/backups",
  );
}

/** Of two nodes neither may be lost, and more than three are only slower. */
function hubNodesOf(text: string): number {
  if (text === "1" || text === "3") return Number(text);
  throw new WrongUse({
    field: "hub",
    value: text,
    message: "a hub has one node, or three",
    remedy: "give --hub 1 or --hub 3",
  });
}

const backupsFolder = (text: string): string => (text === "off" ? text : resolve(text));

async function regionsOf(text: string | undefined): Promise<string[]> {
  if (text === undefined) return firstRegions();
  if (text.trim() === "all") return regionSlugs();
  return text
    .split(",")
    .map((slug) => slug.trim())
    .filter((slug) => slug !== "");
}
