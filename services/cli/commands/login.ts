import type { Command } from "commander";
import { parseRole, roles } from "#domain/vocabulary.ts";
import { mintToken } from "#infra/local/identity.ts";
import { addressIn, readRunFile } from "#infra/local/run-file.ts";
import { dataFolderOf, writeLogin } from "../login-file.ts";
import { examples, regionOption, wordOption, type GlobalOptions } from "../options.ts";
import { answer } from "../output.ts";
import { first, localPerson, shownPerson } from "../people.ts";

interface Options {
  as: string;
  region?: string;
}

/** A working day. */
const loginSeconds = 12 * 3_600;

export function define(command: Command): void {
  command
    .addOption(wordOption("--as <role>", "role of the sample person", roles).default("operator"))
    .addOption(regionOption("the person's region; without it, the first that runs", false))
    .action(login);
  examples(
    command,
    "qalqan login --as regional-prosecutor --region almaty",
    "qalqan login --as central-prosecutor",
  );
}

async function login(_given: Options, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options & GlobalOptions>();
  const run = readRunFile(dataFolderOf(options));
  const region = options.region ?? run.regions[0] ?? "";
  const role = parseRole("as", options.as);
  // Says where the region is not: a token for nowhere would only be refused later.
  addressIn(run, region, "centre", "grpc");
  const person = localPerson(first(role, region));
  const token = await mintToken(run.identity.privateKey, person, loginSeconds);
  writeLogin(options, { person: person.id, role, region: person.region, token });
  const { id, region: place, name } = person;
  answer(
    options,
    { person: id, role, region: place, name },
    () => `logged in as ${shownPerson(person)} (${role})`,
  );
}
