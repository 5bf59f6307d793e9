import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../problem.ts";
import { pageIsBuilt } from "../toolchain/page.mjs";
import { sha256OfFile } from "./archive.ts";
import { baseEntries, path, serviceUser } from "./base.ts";
import { debianComponent, programComponent, type Component } from "./component.ts";
import type { ImageContent } from "./content.ts";
import { debianFiles, fetchDebianPackages } from "./debian.ts";
import { copy, filesBelow, layer, text, type Entry } from "./entries.ts";
import { dependenciesOf, nodeOfPackages, packageFiles, packagesNeeded, readLock } from "./packages.ts";

/** What the binary of Node is linked with. */
const libraries = ["libc6", "libgcc-s1", "libstdc++6"] as const;

/** Folders of `services` that are no service: the command, and the source of the page. */
const notServices: readonly string[] = ["cli", "console"];
const page = "services/console/dist";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly type: string;
  readonly imports: Readonly<Record<string, string>>;
  readonly repository?: { readonly url: string };
}

/**
 * The image of every service: Node with its libraries, the packages that run,
 * the services. It has no shell.
 *
 * @param version of the release
 * @throws Problem `page-not-built`, `package-missing`, and those of `fetchDebianPackages`
 */
export async function qalqanContent(checkout: string, version: string): Promise<ImageContent> {
  if (!pageIsBuilt()) throw pageNotBuilt();
  const manifest = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as Manifest;
  const lock = readLock(checkout);
  const packages = packagesNeeded(checkout, lock, Object.keys(dependenciesOf(lock)));
  const node = nodeOfPackages(checkout);
  const debian = await fetchDebianPackages(libraries);
  return {
    title: "Qalqan",
    version,
    license: manifest.license,
    ...(manifest.repository === undefined ? {} : { source: manifest.repository.url }),
    layers: [
      layer("Node and Debian's libraries", [
        ...baseEntries(),
        ...debianFiles(debian),
        copy("usr/local/bin/node", node.file),
      ]),
      layer("packages that run", packageFiles(checkout, packages, "app")),
      layer("services", [...serviceFiles(checkout), manifestOf(manifest)]),
    ],
    config: {
      user: `${serviceUser}:${serviceUser}`,
      workingDirectory: "/app",
      environment: { PATH: path },
      command: ["/usr/local/bin/node"],
    },
    components: [await nodeComponent(node), ...debian.map(debianComponent)],
    packages,
  };
}

async function nodeComponent({ file, version }: { file: string; version: string }): Promise<Component> {
  return programComponent({
    name: "node",
    version,
    purl: `pkg:generic/node@${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    sha256: await sha256OfFile(file),
    license: "MIT",
  });
}

/** The services, the contract as code, and the page as browsers get it. */
function serviceFiles(checkout: string): Entry[] {
  const services = readdirSync(join(checkout, "services"))
    .filter((name) => !notServices.includes(name))
    .map((name) => `services/${name}`);
  const below = (folder: string) =>
    filesBelow(join(checkout, folder)).map((found) => `${folder}/${found.path}`);
  const contract = below("proto/qalqan").filter((file) => file.endsWith(".ts"));
  return [...services.flatMap(below), ...contract, ...below(page), "proto/names.ts", "LICENSE"].map((file) =>
    copy(`app/${file}`, join(checkout, file)),
  );
}

/** Names that stay below what is in the image. */
const importsKept = /^\.\/(services|proto)\//;

function manifestOf({ name, version, license, type, imports }: Manifest): Entry {
  const kept = Object.fromEntries(Object.entries(imports).filter(([, target]) => importsKept.test(target)));
  const document = { name, version, private: true, license, type, imports: kept };
  return text("app/package.json", `${JSON.stringify(document, undefined, 2)}\n`);
}

function pageNotBuilt(): Problem {
  return new Problem({
    code: "page-not-built",
    field: "page",
    value: page,
    message: "the nation's page is not built from the sources that are here",
    remedy: "run `node infra/toolchain/prepare.mjs`",
  });
}
