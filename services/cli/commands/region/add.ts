import type { Command } from "commander";
import { sizeClasses, type SizeClass } from "#infra/blueprint/regions.ts";
import { capitalSite } from "#infra/blueprint/stack.ts";
import type { Deployment } from "#infra/deployment/deployment.ts";
import { addRegion, type RegionDocument } from "#infra/deployment/region-files.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { parseCount } from "../../durations.ts";
import { WrongUse } from "../../failure.ts";
import { makeStack, rollOut, shownSteps, whereToLook, type NextStep } from "../../next-steps.ts";
import { examples, wordOption, type GlobalOptions } from "../../options.ts";
import { answer } from "../../output.ts";

interface Options extends DeploymentOptions, GlobalOptions {
  readonly iso: string;
  readonly nameKk: string;
  readonly nameRu: string;
  readonly nameEn: string;
  readonly centreKk: string;
  readonly centreRu: string;
  readonly latitude: string;
  readonly longitude: string;
  readonly areaCodes: string;
  readonly size: SizeClass;
  readonly wave: string;
  readonly context: string;
  readonly storageClass?: string;
}

const wavesMax = 20;

export function define(command: Command): void {
  command
    .argument(
      "<slug>",
      "name in ids, addresses and commands: lower-case words joined by hyphens; never changes",
    )
    .requiredOption("--iso <code>", "code of ISO 3166-2:KZ")
    .requiredOption("--name-kk <name>", "name in Kazakh")
    .requiredOption("--name-ru <name>", "name in Russian")
    .requiredOption("--name-en <name>", "name in English")
    .requiredOption("--centre-kk <city>", "city where the centre is, in Kazakh")
    .requiredOption("--centre-ru <city>", "the same in Russian")
    .requiredOption("--latitude <degrees>", "of the centre (WGS 84)")
    .requiredOption("--longitude <degrees>", "of the centre (WGS 84)")
    .requiredOption("--area-codes <codes>", "fixed-line codes without the country code: a,b")
    .addOption(wordOption("--size <size>", "how much the workloads get", sizeClasses).default("small"))
    .requiredOption("--wave <n>", "wave of the rollout: one that there is, or the next")
    .requiredOption("--context <name>", "context of the kubeconfig; its cluster must answer")
    .option("--storage-class <name>", "storage class of all volumes (default: the cluster's own)");
  addDeploymentOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Looks at everything first, the cluster too; then writes the region's file and makes its keys.",
        "Further settings of the cluster are written into the file: regions/region.schema.json has them.",
      ].join("\n"),
    )
    .action(run);
  examples(
    command,
    'qalqan region add semey --iso KZ-64 --name-kk Семей --name-ru Семей --name-en "Semey" \\',
    "    --centre-kk Семей --centre-ru Семей --latitude 50.41 --longitude 80.25 --area-codes 7229 \\",
    "    --size small --wave 5 --context qalqan-semey",
  );
}

async function run(slug: string, _given: unknown, command: Command): Promise<void> {
  const options = command.optsWithGlobals<Options>();
  const document = documentOf(slug, options);
  const deployment = deploymentOf(options);
  const { region, file, keys, clusterVersion } = await addRegion(deployment, document);
  const next = nextSteps(deployment, region.slug, file);
  const { fingerprint } = keys;
  const cluster = { context: region.cluster.context, version: clusterVersion };
  answer(options, { region: region.slug, file, keys: { fingerprint }, cluster, next }, () => [
    `${region.slug} is in ${file}; its cluster ${cluster.context} answers (${cluster.version}); its keys are made`,
    ...shownSteps(next),
  ]);
}

function documentOf(slug: string, options: Options): RegionDocument {
  const { storageClass } = options;
  return {
    slug,
    iso: options.iso,
    names: { kk: options.nameKk, ru: options.nameRu, en: options.nameEn },
    centre: { kk: options.centreKk, ru: options.centreRu },
    coordinates: {
      latitude: degrees("latitude", options.latitude),
      longitude: degrees("longitude", options.longitude),
    },
    areaCodes: options.areaCodes.split(",").map((code) => code.trim()),
    sizeClass: options.size,
    rolloutWave: parseCount("wave", options.wave, 1, wavesMax),
    cluster: { context: options.context, ...(storageClass === undefined ? {} : { storageClass }) },
  };
}

function degrees(field: string, text: string): number {
  if (/^-?\d{1,3}(\.\d{1,10})?$/.test(text.trim())) return Number(text);
  throw new WrongUse({
    field,
    value: text,
    message: "this is no number of degrees",
    remedy: "give degrees with a point, for example 51.18",
  });
}

function nextSteps(deployment: Deployment, slug: string, file: string): readonly NextStep[] {
  const hasCapital = deployment.keyStore.has(capitalSite);
  return [
    { command: `git add ${file}`, why: "a region is data of the project" },
    ...(hasCapital
      ? []
      : [{ command: `npx qalqan keys make ${capitalSite}`, why: "the other end of the line" }]),
    ...whereToLook(deployment),
    rollOut(capitalSite, "the hub lets its line in, by a reload"),
    makeStack(slug),
    rollOut(slug, "the region itself"),
    {
      command: "npx qalqan parity",
      why: "it is as all others; they learn its area codes at their next `up`",
    },
  ];
}
