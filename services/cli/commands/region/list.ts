import type { Command } from "commander";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { keysState } from "../../keys-view.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, table } from "../../output.ts";

export function define(command: Command): void {
  addDeploymentOptions(command).action(run);
  examples(command, "qalqan region list", "qalqan region list --json");
}

async function run(_given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<DeploymentOptions & GlobalOptions>();
  const deployment = deploymentOf(options);
  const regions = deployment.regions().map(({ slug, iso, names, rolloutWave, sizeClass, cluster }) => ({
    region: slug,
    iso,
    names,
    wave: rolloutWave,
    size: sizeClass,
    context: cluster.context,
    host: cluster.ingress.host,
    keys: keysState(deployment, slug),
  }));
  answer(options, { regions }, () =>
    table(
      ["region", "english", "kazakh", "russian", "wave", "size", "context", "keys"],
      regions.map(({ region, names, wave, size, context, keys }) => [
        region,
        names.en,
        names.kk,
        names.ru,
        String(wave),
        size,
        context,
        keys,
      ]),
    ),
  );
}
