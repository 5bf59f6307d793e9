import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { SigningKeyList } from "#infra/keys/public-keys.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { CommandFailed } from "../../failure.ts";
import { dataFolderOf } from "../../login-file.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, table } from "../../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly out: string;
}

export function define(command: Command): void {
  addDeploymentOptions(command.requiredOption("--out <file>", "where to write the public keys"))
    .addHelpText(
      "after",
      [
        "",
        "The public signing keys of the capital and of every region, former ones too (what they signed stays",
        "signed). Of the local run; with --deployment, or QALQAN_DEPLOYMENT, of the nation on clusters. Hand the",
        "file over by another way than the evidence, or compare the key ids over the telephone.",
      ].join("\n"),
    )
    .action(run);
  examples(
    command,
    "qalqan evidence keys --out signing-keys.json",
    "qalqan evidence keys --deployment ../nation --out signing-keys.json",
  );
}

async function run(_given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const list = options.deployment === undefined ? await localKeys(options) : await deployedKeys(options);
  const { signingKeysText } = await import("#infra/keys/public-keys.ts");
  const file = resolve(options.out);
  writeFileSync(file, signingKeysText(list));
  answer(options, { file, sites: list }, () => [
    ...table(
      ["site", "current key", "former keys"],
      Object.entries(list).map(([site, keys]) => [
        site,
        keys.at(-1)?.kid ?? "none",
        keys
          .slice(0, -1)
          .map(({ kid }) => kid)
          .join(" "),
      ]),
    ),
    file,
  ]);
}

async function localKeys(options: GlobalOptions): Promise<SigningKeyList> {
  const { DataFolder } = await import("#infra/local/data-folder.ts");
  const { root, signingKeysFile } = DataFolder.at(dataFolderOf(options));
  if (existsSync(signingKeysFile)) return JSON.parse(readFileSync(signingKeysFile, "utf8")) as SigningKeyList;
  throw new CommandFailed({
    code: "no-keys",
    field: "data",
    value: root,
    message: "no nation was ever started in this data folder",
    remedy: "name another one with --data, or the nation on clusters with --deployment",
  });
}

async function deployedKeys(options: DeploymentOptions): Promise<SigningKeyList> {
  const { signingKeyList } = await import("#infra/keys/public-keys.ts");
  const { capitalSite } = await import("#infra/blueprint/stack.ts");
  const deployment = deploymentOf(options);
  const sites = [capitalSite, ...deployment.regions().map(({ slug }) => slug)];
  return signingKeyList(sites.map((site) => deployment.publicKeys(site)));
}
