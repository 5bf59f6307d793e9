import { statSync } from "node:fs";
import { Argument, type Command } from "commander";
import { describeKey, keyFileOf } from "../../bundle-key.ts";
import { CommandFailed } from "../../failure.ts";
import { examples, type GlobalOptions } from "../../options.ts";
import { answer, groupDigits, plural } from "../../output.ts";
import { progressBar } from "../../progress-bar.ts";

export function define(command: Command): void {
  describeKey(command, "the public key of who has made the bundle")
    .addArgument(new Argument("<file>", "the bundle"))
    .addHelpText(
      "after",
      [
        "",
        "Nothing is unpacked. A bundle in which one byte differs is refused, with the file's name.",
        "The signature can be checked without this command, too:",
        "  tar -xf FILE checksums.json checksums.sig",
        "  openssl pkeyutl -verify -rawin -pubin -inkey PUBLICKEY -sigfile checksums.sig -in checksums.json",
      ].join("\n"),
    )
    .action(async (file: string, _given: unknown, self: Command) =>
      run(file, self.optsWithGlobals<GlobalOptions>()),
    );
  examples(
    command,
    "qalqan bundle verify qalqan-0.1.0.tar --key release-key.pem.pub && tar -xf qalqan-0.1.0.tar",
  );
}

async function run(file: string, options: GlobalOptions): Promise<void> {
  const keyFile = keyFileOf(options, "the public key of who has made the bundle");
  const { fingerprintOf, readVerifyingKey } = await import("#infra/bundle/key.ts");
  const { verifyBundle } = await import("#infra/bundle/verify-bundle.ts");
  const key = readVerifyingKey(keyFile);
  const bar = await progressBar("verifying", sizeOf(file), options.json === true);
  let verified;
  try {
    let done = 0;
    verified = await verifyBundle(file, key, (bytes) => bar.update((done += bytes)));
  } finally {
    bar.stop();
  }
  const { release, files, bytes, sha256 } = verified;
  const signedBy = fingerprintOf(key);
  answer(options, { file, release, files, bytes, sha256, signedBy }, () => [
    `${file} is good: release ${release.version}`,
    `  signature   the checksums are signed by ${signedBy}`,
    `  content     each of ${plural(files, "file")} has the size and the SHA-256 that were signed`,
    "  complete    nothing is missing, nothing was added, everything is in its place",
    "  paths       no path leaves the folder that it is unpacked in; there are files alone, no links",
    `  archive     not one of ${groupDigits(bytes)} bytes differs from what was written`,
    `sha256 ${sha256}`,
  ]);
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw new CommandFailed({
      code: "no-such-file",
      field: "file",
      value: file,
      message: `the bundle cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "give the path of a bundle",
    });
  }
}
