import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { text as textOfStream } from "node:stream/consumers";
import { promisify } from "node:util";
import { z } from "zod";
import { readRelease, type ImageName, type Release } from "../deployment/release.ts";
import { readArchive } from "../image/archive.ts";
import { copy, filesBelow, text, type Entry } from "../image/entries.ts";
import { archiveName, billName } from "../image/make-images.ts";
import { dependenciesOf, nodeOfPackages, packageFiles, packagesNeeded, readLock } from "../image/packages.ts";
import { Problem } from "../problem.ts";

export type BundleFile = Extract<Entry, { kind: "file" }>;

export interface BundleContentWish {
  readonly checkout: string;
  readonly releaseFile: string;
  /** Folder of the regions' files. */
  readonly regions: string;
  /** Folder of archives and bills of materials, as `makeImages` has written them. */
  readonly images: string;
  /** Folder of Pulumi's plugins; undefined: the bundle has none. */
  readonly plugins: string | undefined;
}

/** What is not of the image, and still runs where a bundle is brought: the programs, and what makes and opens keys. */
const toolPackages = [
  "@pulumi/kubernetes",
  "@pulumi/policy",
  "@pulumi/pulumi",
  "age-encryption",
  "tar-stream",
] as const;

const provider = "@pulumi/kubernetes";

/** Folder of the project in a bundle. */
const project = "project";
const projectFiles = [
  "LICENSE",
  "README.md",
  "infra",
  "package-lock.json",
  "package.json",
  "proto",
  "services",
];

const imageNames: readonly ImageName[] = ["qalqan", "nats", "postgres"];

/** Where Pulumi keeps its plugins (`PULUMI_HOME`, else `~/.pulumi`). */
export function defaultPluginFolder(): string {
  const home = process.env["PULUMI_HOME"];
  return join(home !== undefined && home !== "" ? home : join(homedir(), ".pulumi"), "plugins");
}

/**
 * Everything that a site without internet needs: images with their bills of
 * materials, the release, the project with the packages that run and with Node,
 * and Pulumi's plugin for Kubernetes.
 *
 * @throws Problem `release-missing`, `release-invalid`, `image-missing`, `bill-missing`, `plugin-missing`, `package-missing`, `not-a-checkout`
 */
export async function bundleContent(
  wish: BundleContentWish,
): Promise<{ readonly files: BundleFile[]; readonly release: Release }> {
  const { checkout, releaseFile, regions, images, plugins } = wish;
  const release = readRelease(releaseFile);
  const plugin = plugins === undefined ? [] : pluginFiles(checkout, plugins);
  const archives = await Promise.all(imageNames.map((name) => imageFiles(images, name, release)));
  const entries: Entry[] = [
    text("README.txt", readme(release, plugins !== undefined)),
    copy("release.json", releaseFile),
    ...archives.flat(),
    ...plugin,
    ...(await projectEntries(checkout)),
    ...filesBelow(regions).map((found) =>
      copy(`${project}/regions/${found.path}`, join(regions, found.path)),
    ),
  ];
  const files = entries.filter((entry) => entry.kind === "file");
  return { files: files.toSorted((left, right) => (left.path < right.path ? -1 : 1)), release };
}

/** The archive must hold the image that the release names; a bill is of that image, or there is none. */
async function imageFiles(folder: string, name: ImageName, release: Release): Promise<Entry[]> {
  const reference = release.images[name];
  const digest = reference.slice(reference.indexOf("@") + 1);
  const file = join(folder, archiveName(name));
  if (!existsSync(file) || !(await holdsImage(file, digest))) throw imageMissing(name, reference, file);
  const bill = join(folder, billName(name));
  const isOurs = existsSync(bill) && readFileSync(bill, "utf8").includes(digest.replace("sha256:", ""));
  // Whoever made a server's image elsewhere may have no bill of it.
  if (!isOurs && name === "qalqan") throw billMissing(bill, reference);
  return [
    copy(`images/${archiveName(name)}`, file),
    ...(isOurs ? [copy(`bills-of-materials/${billName(name)}`, bill)] : []),
  ];
}

const blobPath = /^(?:\.\/)?blobs\/sha256\/([0-9a-f]{64})$/;
const indexPath = /^(?:\.\/)?index\.json$/;
const manifestSchema = z.looseObject({
  config: z.looseObject({ digest: z.string() }),
  layers: z.array(z.looseObject({ digest: z.string() })),
});
/** No manifest is nearly as large. */
const manifestBytesMax = 1 << 20;
const indexSchema = z.looseObject({ manifests: z.array(z.looseObject({ digest: z.string() })) });

/** Whether an OCI image layout in a tar has an image whole, and every blob of it has the content that it is named after. */
async function holdsImage(file: string, digest: string): Promise<boolean> {
  const named: string[] = [];
  const blobs = new Set<string>();
  let manifest: Buffer | undefined;
  for await (const { header, content } of readArchive(file)) {
    const blob = blobPath.exec(header.name)?.[1];
    if (blob !== undefined) {
      const hash = createHash("sha256");
      const isManifest = `sha256:${blob}` === digest && (header.size ?? 0) <= manifestBytesMax;
      const pieces: Buffer[] = [];
      for await (const piece of content) {
        hash.update(piece as Buffer);
        if (isManifest) pieces.push(piece as Buffer);
      }
      if (isManifest) manifest = Buffer.concat(pieces);
      if (hash.digest("hex") !== blob) return false;
      blobs.add(`sha256:${blob}`);
    } else if (indexPath.test(header.name)) {
      const index = indexSchema.parse(JSON.parse(await textOfStream(content)));
      named.push(...index.manifests.map((each) => each.digest));
    } else {
      content.resume();
    }
  }
  if (manifest === undefined || !named.includes(digest)) return false;
  const { config, layers } = manifestSchema.parse(JSON.parse(manifest.toString("utf8")));
  return [config, ...layers].every((part) => blobs.has(part.digest));
}

function pluginFiles(checkout: string, folder: string): Entry[] {
  const version = readLock(checkout).packages[`node_modules/${provider}`]?.version ?? "";
  const name = `resource-kubernetes-v${version}`;
  if (!existsSync(join(folder, name, "pulumi-resource-kubernetes")))
    throw pluginMissing(folder, name, version);
  return filesBelow(join(folder, name)).map((found) =>
    copy(`plugins/${name}/${found.path}`, join(folder, name, found.path)),
  );
}

async function projectEntries(checkout: string): Promise<Entry[]> {
  const lock = readLock(checkout);
  const names = [...Object.keys(dependenciesOf(lock)), ...toolPackages];
  const node = nodeOfPackages(checkout);
  return [
    ...(await listed(checkout)).map((file) => copy(`${project}/${file}`, join(checkout, file))),
    ...packageFiles(checkout, packagesNeeded(checkout, lock, names), project),
    // Where npm puts it, so that the command finds it on whatever machine it is unpacked.
    copy(`${project}/node_modules/.bin/node`, node.file),
  ];
}

const outputBytesMax = 64 << 20;

/** Files of the project that git keeps, so that nothing else that lies in the folder goes out. */
async function listed(checkout: string): Promise<string[]> {
  const parameters = ["ls-files", "-z", "--cached", "--deduplicate", "--"];
  let output: string;
  try {
    const options = { cwd: checkout, maxBuffer: outputBytesMax };
    output = (await promisify(execFile)("git", [...parameters, ...projectFiles], options)).stdout;
  } catch (error) {
    throw new Problem({
      code: "not-a-checkout",
      field: "checkout",
      value: checkout,
      message: `git cannot tell the files of the project: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "run this in a checkout of the project, with git on the path",
    });
  }
  return output.split("\0").filter((file) => file !== "" && existsSync(join(checkout, file)));
}

const readme = ({ version, images }: Release, hasPlugins: boolean): string =>
  [
    `Qalqan ${version}, for a site without internet.`,
    "",
    "This archive was checked with `npx qalqan bundle verify` before it was unpacked; if not, do that first.",
    "",
    "1. Bring the images onto every node (or push them to the registry that they are named after):",
    ...imageNames.map((name) => {
      const repository = images[name].split("@")[0];
      return `     ctr --namespace k8s.io images import --digests --base-name ${repository} images/${archiveName(name)}`;
    }),
    "2. The project, with its packages and its Node, is in the folder project:",
    "     cd project && export PATH=$PWD/node_modules/.bin:$PATH && node services/cli/main.ts --help",
    "3. The deployment folder needs release.json, beside its keys.",
    ...(hasPlugins
      ? ["4. Pulumi finds its plugin in $PULUMI_HOME/plugins: copy the content of the folder plugins there."]
      : []),
    "",
  ].join("\n");

function imageMissing(name: ImageName, reference: string, file: string): Problem {
  return new Problem({
    code: "image-missing",
    field: name,
    value: reference,
    message: `${file} is missing, or does not hold the image that the release names`,
    remedy:
      name === "qalqan"
        ? "make the image again with `npx qalqan image`"
        : `save it there as OCI archive with its digest kept: skopeo copy --all --preserve-digests docker://${reference} oci-archive:${file}`,
  });
}

function billMissing(bill: string, reference: string): Problem {
  return new Problem({
    code: "bill-missing",
    field: "bill of materials",
    value: bill,
    message: `there is no bill of materials of ${reference}`,
    remedy: "make the image again with `npx qalqan image`",
  });
}

function pluginMissing(folder: string, name: string, version: string): Problem {
  return new Problem({
    code: "plugin-missing",
    field: "plugins",
    value: folder,
    message: `Pulumi's plugin for Kubernetes is missing: no ${name} in this folder`,
    remedy: `get it with \`pulumi plugin install resource kubernetes v${version}\`, give its folder with --plugins, or leave it out with --without-plugins`,
  });
}
