import type { Command } from "commander";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

interface Options {
  out: string;
}

export function define(command: Command): void {
  command
    .requiredOption("--out <file>", "where the private key goes; the public one is beside it, with .pub")
    .addHelpText(
      "after",
      "\nThe private key is not encrypted: keep it where releases are made, and nowhere else.",
    )
    .action(async (_given: Options, self: Command) => run(self.optsWithGlobals<Options & GlobalOptions>()));
  examples(command, "qalqan bundle key --out release-key.pem");
}

async function run(options: Options & GlobalOptions): Promise<void> {
  const { makeSigningKey } = await import("#infra/bundle/key.ts");
  const { privateFile, publicFile, fingerprint } = makeSigningKey(options.out);
  answer(options, { privateFile, publicFile, fingerprint }, () => [
    `${privateFile}  signs bundles; readable by you alone`,
    `${publicFile}  checks them; sites need it`,
    `fingerprint ${fingerprint}: tell it by another way, so that sites can compare`,
  ]);
}
