import { InvalidArgumentError, Option, type Command } from "commander";

/** What every command understands. */
export interface GlobalOptions {
  readonly json?: boolean;
  /** Data folder of a local run. */
  readonly data?: string;
  /** Elsewhere: address of one gRPC server, and what is needed to talk to it. */
  readonly server?: string;
  readonly ca?: string;
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** The global options that take a value, as they are written. */
export const globalOptionsWithValue: readonly string[] = [
  "--data",
  "--server",
  "--ca",
  "--token",
  "--cert",
  "--key",
];

/** Where a local run keeps its state unless said otherwise. */
export const defaultDataFolder = ".qalqan";

export function addGlobalOptions(program: Command): Command {
  return program
    .option("--json", "answer with one JSON document on standard output")
    .addOption(
      new Option("--data <dir>", `data folder of the local run (default: ${defaultDataFolder})`).env(
        "QALQAN_DATA",
      ),
    )
    .option("--server <url>", "elsewhere: the server to ask, host:port")
    .option("--ca <file>", "elsewhere: certificate of the authority (PEM)")
    .option("--token <file>", "elsewhere: file with the bearer token")
    .option("--cert <file>", "elsewhere: own certificate, where the server asks for one (PEM)")
    .option("--key <file>", "elsewhere: key of the own certificate (PEM)");
}

/** An option with words that are shown and completed; another one is wrong use. */
export function wordOption(flags: string, description: string, words: readonly string[]): Option {
  return new Option(flags, description).choices(words);
}

export function regionOption(description: string, mandatory: boolean): Option {
  return new Option("--region <region>", description).makeOptionMandatory(mandatory);
}

const waitSecondsMax = 3_600;

/** The value is a whole number of seconds; `--wait` alone means 30. It is judged before anything is asked. */
export function waitOption(): Option {
  return new Option(
    "--wait [seconds]",
    "end when every region that was heard from enforces it; after SECONDS (30) with code 1",
  ).argParser((text) => {
    const seconds = Math.ceil(Number(text));
    if (seconds >= 1 && seconds <= waitSecondsMax) return seconds;
    throw new InvalidArgumentError(`Give seconds from 1 to ${waitSecondsMax}.`);
  });
}

/** Adds the examples that end the help of a command. */
export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`);
}
