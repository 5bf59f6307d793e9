import { Command, InvalidArgumentError, Option } from "commander";
import { directiveBenchmark } from "./directive.ts";
import { syncBenchmark, syncLegs } from "./sync.ts";

/** The benchmarks by name: each prints what it measured as a ratio to its target. */
const program = new Command("npm run bench --")
  .description("measures what the platform promises, each beside its limit")
  .showHelpAfterError()
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

const json = () => new Option("--json", "one JSON document on standard output");

program
  .command("directive")
  .description("from the moment a directive is accepted until it is enforced, over three regions")
  .addOption(json())
  .action((wish: { readonly json?: true }) => directiveBenchmark(wish.json ?? false));

program
  .command("sync")
  .description("how fast what one place knows is true in the others, leg by leg")
  .addOption(json())
  .addOption(new Option("--leg <leg...>", "these alone").choices(syncLegs))
  .option("--scale <share>", "a share of the sizes that the limits are meant for", scaleOf, 1)
  .action(syncBenchmark);

function scaleOf(text: string): number {
  const scale = Number(text);
  if (!(scale > 0)) throw new InvalidArgumentError("It is a number above 0.");
  return scale;
}

await program.parseAsync();
