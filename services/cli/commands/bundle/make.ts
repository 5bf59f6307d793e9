import { join } from "node:path";
import { Option, type Command } from "commander";
import { describeKey, keyFileOf } from "../../bundle-key.ts";
import { addDeploymentOptions, deploymentOf, type DeploymentOptions } from "../../deployment-options.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, groupDigits, plural } from "../../output.ts";
import { progressBar } from "../../progress-bar.ts";

interface Options extends DeploymentOptions {
  out: string;
  images?: string;
  plugins?: string;
  withoutPlugins?: boolean;
}

const checkout = join(import.meta.dirname, "..", "..", "..", "..");

export function define(command: Command): void {
  addDeploymentOptions(describeKey(command, "the private key that signs"))
    .requiredOption("--out <file>", "the archive to write")
    .option("--images <dir>", "folder of the images (default: images, in the deployment folder)")
    .option("--plugins <dir>", "folder of Pulumi's plugins (default: Pulumi's own)")
    .addOption(
      new Option("--without-plugins", "the site has Pulumi's plugin for Kubernetes already").conflicts(
        "plugins",
      ),
    )
    .addHelpText(
      "after",
      [
        "",
        "One tar with the images of the release, their bills of materials, the project with its packages and its",
        "Node, Pulumi's plugin for Kubernetes, and signed checksums. `image` makes the images before.",
      ].join("\n"),
    )
    .action(async (_given: Options, self: Command) => run(self.optsWithGlobals<Options & GlobalOptions>()));
  examples(
    command,
    "qalqan bundle key --out release-key.pem",
    "qalqan bundle --out qalqan-0.1.0.tar --key release-key.pem",
    "qalqan bundle verify qalqan-0.1.0.tar --key release-key.pem.pub",
  );
}

async function run(options: Options & GlobalOptions): Promise<void> {
  const keyFile = keyFileOf(options, "the private key that signs");
  const deployment = deploymentOf(options);
  const { bundleContent, defaultPluginFolder } = await import("#infra/bundle/bundle-files.ts");
  const { readSigningKey } = await import("#infra/bundle/key.ts");
  const { writeBundle } = await import("#infra/bundle/write-bundle.ts");
  const key = readSigningKey(keyFile);
  const { files, release } = await bundleContent({
    checkout,
    releaseFile: join(deployment.folder, "release.json"),
    regions: deployment.regionsFolder,
    images: options.images ?? join(deployment.folder, "images"),
    plugins: options.withoutPlugins === true ? undefined : (options.plugins ?? defaultPluginFolder()),
  });
  const bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const bar = await progressBar("bundling", bytesTotal, options.json === true);
  let written;
  try {
    let done = 0;
    written = await writeBundle({
      files,
      release,
      key,
      out: options.out,
      onBytes: (bytes) => bar.update((done += bytes)),
    });
  } finally {
    bar.stop();
  }
  answer(options, { ...written, release }, () => [
    `${written.file}: release ${release.version}, ${plural(written.files, "file")}, ${groupDigits(written.bytes)} bytes`,
    `sha256 ${written.sha256}`,
    "Bring the public key by another way than the archive; there: qalqan bundle verify FILE --key PUBLICKEY",
  ]);
}
