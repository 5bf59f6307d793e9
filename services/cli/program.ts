import { Command, CommanderError } from "commander";
import { commands, type CommandEntry } from "./commands/index.ts";
import { describeFailure, failureOf } from "./failure.ts";
import { addGlobalOptions, globalOptionsWithValue } from "./options.ts";

const introduction = "Qalqan: what one region decides about a fraudster's number, every region enforces.";

const ending = [
  "",
  "A first walk:",
  "  npx qalqan start                          # a small nation on this machine, until Ctrl-C",
  "  npx qalqan directive issue --region astana --number +442079460958 \\",
  "      --action block --reason fraud --expires 7d --wait",
  "  npx qalqan screen --region almaty --from +442079460958 --to +77172123456 --trunk intl-1",
  "  npx qalqan status",
  "",
  "Without `login`, on this machine, each command acts as the sample person who may do it, and says so.",
  "Exit codes: 0 done, 1 failed, 2 wrong use. `qalqan COMMAND --help` has options and an example.",
  "Completion: source <(qalqan complete bash)",
].join("\n");

/**
 * Runs one command line; everything that goes wrong is said here.
 *
 * @returns the exit code: 0 done, 1 failed, 2 wrong use
 */
export async function runProgram(parameters: readonly string[]): Promise<number> {
  process.stdout.on("error", leaveWhenReaderLeft);
  const words = withWaitValue(parameters);
  const program = createProgram(asksForJson(words));
  const meant = await addCommands(program, commands, words);
  try {
    if (isCompletion(words)) await offerCompletion(program);
    await program.parseAsync(words, { from: "user" });
    return typeof process.exitCode === "number" ? process.exitCode : 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    // A command is missing: commander has shown the help in place of an error.
    if (error instanceof CommanderError && error.code === "commander.help" && !asksForJson(parameters))
      return 2;
    const failure = failureOf(error, commandPath(meant));
    if (asksForJson(parameters)) process.stdout.write(`${JSON.stringify({ error: failure.detail })}\n`);
    else process.stderr.write(describeFailure(failure));
    return failure.exitCode;
  }
}

function createProgram(json: boolean): Command {
  const nothing = () => undefined;
  const program = new Command("qalqan")
    .exitOverride()
    // Errors are said once, below; with --json, standard output has the document alone.
    .configureOutput(json ? { outputError: nothing, writeErr: nothing } : { outputError: nothing })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .helpCommand(false)
    .description(introduction)
    .addHelpText("after", ending);
  return addGlobalOptions(program);
}

/**
 * Adds every command by name and summary, and loads only the one that the
 * words name, so that start-up does not grow with the number of commands.
 *
 * @returns the command that is meant
 */
async function addCommands(
  parent: Command,
  entries: readonly CommandEntry[],
  words: readonly string[],
): Promise<Command> {
  const everything = isCompletion(words);
  const place = firstOperand(words);
  const named =
    entries.find(({ name }) => name === words[place]) ?? entries.find(({ isDefault }) => isDefault);
  let meant = parent;
  for (const entry of entries) {
    const isDefault = entry.isDefault === true;
    const command = parent.command(entry.name, { isDefault }).description(entry.summary);
    if (entry === named) meant = await fill(command, entry, words.slice(place + 1));
    else if (everything) await fill(command, entry, words);
  }
  return meant;
}

async function fill(command: Command, entry: CommandEntry, words: readonly string[]): Promise<Command> {
  if (entry.load !== undefined) {
    (await entry.load()).define(command);
    return command;
  }
  command
    .helpCommand(false)
    .addHelpText("after", `\n\`${commandPath(command)} COMMAND --help\` has options and an example.`);
  return addCommands(command, entry.children ?? [], words);
}

/** Global options may stand before the command; the first word that is neither one nor its value names it. */
function firstOperand(words: readonly string[]): number {
  return words.findIndex(
    (word, index) => !word.startsWith("-") && !globalOptionsWithValue.includes(words[index - 1] ?? ""),
  );
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

/**
 * `--wait` may go without its SECONDS, and what follows then is another word
 * (an id, a file), never its value.
 */
function withWaitValue(words: readonly string[]): string[] {
  return words.map((word, index) =>
    word === "--wait" && !/^\d+(\.\d+)?$/.test(words[index + 1] ?? "") ? "--wait=30" : word,
  );
}

function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end === -1 ? words.length : end).includes("--json");
}

function isCompletion(words: readonly string[]): boolean {
  return words[0] === "complete";
}

async function offerCompletion(program: Command): Promise<void> {
  const { addCompletion } = await import("./completion.ts");
  addCompletion(program);
}

/** `qalqan directive list | head` is no failure. */
function leaveWhenReaderLeft(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
}
