import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { Servers } from "#infra/image/make-images.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../deployment-options.ts";
import { WrongUse } from "../failure.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer, groupDigits, table } from "../output.ts";
import { progressBar } from "../progress-bar.ts";

interface Options extends DeploymentOptions {
  repository: string;
  release?: string;
  out?: string;
  nats?: string;
  postgres?: string;
  withServers?: boolean;
}

const checkout = join(import.meta.dirname, "..", "..", "..");

export function define(command: Command): void {
  addDeploymentOptions(command)
    .option("--repository <name>", "registry and name of the image: REGISTRY/NAME", "localhost/qalqan")
    .option("--release <version>", "what the services say of themselves (default: that of package.json)")
    .option("--out <dir>", "where the archives go (default: images, in the deployment folder)")
    .option("--nats <ref>", "upstream's image of NATS, by digest")
    .option("--postgres <ref>", "upstream's image of PostgreSQL, by digest")
    .option("--with-servers", "make images of NATS and PostgreSQL as well, of what this checkout runs with")
    .addHelpText(
      "after",
      [
        "",
        "It needs no registry and no daemon, and makes the same bytes of the same files. Beside each image is its",
        "bill of materials (CycloneDX). When all is there, the release file of the deployment names the images.",
        "",
        "Into a registry:  skopeo copy --preserve-digests oci-archive:FILE docker://REFERENCE",
        "Onto a node:      ctr --namespace k8s.io images import FILE",
      ].join("\n"),
    )
    .action(async (_given: Options, self: Command) => run(self.optsWithGlobals<Options & GlobalOptions>()));
  examples(
    command,
    "qalqan image --repository registry.example/qalqan --nats docker.io/library/nats@sha256:… --postgres docker.io/library/postgres@sha256:…",
    "qalqan image --with-servers   # all three, for a trial or for a site without internet",
  );
}

async function run(options: Options & GlobalOptions): Promise<void> {
  const servers = serversOf(options);
  const { folder } = deploymentOf(options);
  const { makeImages } = await import("#infra/image/make-images.ts");
  const releaseFile = join(folder, "release.json");
  const bar = await progressBar("building", 1, options.json === true);
  let made;
  try {
    made = await makeImages({
      checkout,
      repository: options.repository,
      version: options.release ?? ownVersion(),
      servers,
      out: options.out ?? join(folder, "images"),
      releaseFile,
      onProgress: (bytes, bytesTotal) => bar.update(bytes, bytesTotal),
    });
  } finally {
    bar.stop();
  }
  const { release } = made;
  const images = Object.entries(made.images).map(([name, { reference, digest, file, billOfMaterials }]) => ({
    name,
    reference,
    digest,
    file,
    bytes: statSync(file).size,
    billOfMaterials,
  }));
  answer(options, { release, releaseFile, images }, () => [
    ...table(
      ["image", "bytes", "archive", "bill of materials"],
      images.map(({ name, bytes, file, billOfMaterials }) => [
        name,
        groupDigits(bytes),
        file,
        billOfMaterials,
      ]),
    ),
    "",
    `release ${release.version} (${releaseFile}):`,
    ...Object.values(release.images).map((reference) => `  ${reference}`),
  ]);
}

/** Undefined: they are made here. */
function serversOf({ nats, postgres, withServers }: Options): Servers | undefined {
  if (withServers === true && nats === undefined && postgres === undefined) return undefined;
  if (withServers !== true && nats !== undefined && postgres !== undefined) return { nats, postgres };
  const missing = nats === undefined ? "nats" : "postgres";
  throw new WrongUse({
    field: withServers === true ? "with-servers" : missing,
    value: "",
    message:
      withServers === true
        ? "images of the servers are either made or given"
        : `which image of ${missing} the clusters run is not said`,
    remedy: "give --nats and --postgres, or --with-servers alone",
  });
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as { version: string }).version;
}
