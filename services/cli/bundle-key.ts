import type { Command } from "commander";
import { WrongUse } from "./failure.ts";

/** `--key` is a global option; the help of a command says which key it is here. */
export function describeKey(command: Command, key: string): Command {
  return command.addHelpText("after", `\nHere, --key <file> is ${key} (PEM, Ed25519).`);
}

/** @throws WrongUse when it was not given */
export function keyFileOf({ key }: { readonly key?: string }, what: string): string {
  if (key !== undefined) return key;
  throw new WrongUse({
    field: "key",
    value: "",
    message: `${what} is missing`,
    remedy: "give it with --key FILE; `qalqan bundle key --out FILE` makes a pair",
  });
}
