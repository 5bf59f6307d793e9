import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Problem } from "../problem.ts";
import { onPath } from "../toolchain/locate.mjs";
import type { Component } from "./component.ts";
import type { ImageContent } from "./content.ts";
import type { BuiltImage } from "./image.ts";
import { dependenciesOf, readLock, type Packages } from "./packages.ts";

const run = promisify(execFile);
const outputBytesMax = 64 << 20;

const specification = "1.5";

/** What npm writes; of it the packages and what needs what are taken over. */
interface NpmDocument {
  readonly specVersion: string;
  readonly metadata: { readonly tools: readonly unknown[] };
  readonly components: readonly Component[];
  readonly dependencies: readonly Dependency[];
}

interface Dependency {
  readonly ref: string;
  readonly dependsOn: readonly string[];
}

/**
 * The bill of materials of an image (CycloneDX 1.5, JSON): the packages as npm
 * itself tells them, and everything else. The same image has the same bill: its
 * serial number follows from the image, and it has no time of its own.
 *
 * @throws Problem `npm-missing`, `npm-failed`
 */
export async function billOfMaterials(
  checkout: string,
  content: ImageContent,
  image: BuiltImage,
): Promise<string> {
  const npm = content.packages.size === 0 ? undefined : await askNpm(checkout, content.packages);
  const repository = image.reference.split("@")[0] ?? "";
  const name = repository.slice(repository.lastIndexOf("/") + 1);
  const ref = `pkg:oci/${name}@${encodeURIComponent(image.digest)}?repository_url=${encodeURIComponent(repository)}`;
  const components = [...(npm?.components ?? []), ...content.components].toSorted((left, right) =>
    left["bom-ref"] < right["bom-ref"] ? -1 : 1,
  );
  const direct = npm?.dependencies.find(({ ref: from }) => from === projectRef)?.dependsOn ?? [];
  const document = {
    $schema: `http://cyclonedx.org/schema/bom-${specification}.schema.json`,
    bomFormat: "CycloneDX",
    specVersion: specification,
    serialNumber: `urn:uuid:${uuidOf(image.digest)}`,
    version: 1,
    metadata: {
      lifecycles: [{ phase: "build" }],
      tools: npm?.metadata.tools ?? [],
      component: {
        "bom-ref": ref,
        type: "container",
        name,
        version: content.version,
        purl: ref,
        hashes: [{ alg: "SHA-256", content: image.digest.replace("sha256:", "") }],
        licenses: [{ license: { id: content.license } }],
      },
    },
    components,
    dependencies: [
      { ref, dependsOn: [...direct, ...content.components.map((each) => each["bom-ref"])] },
      ...(npm?.dependencies.filter(({ ref: from }) => from !== projectRef) ?? []),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

const projectRef = "packages@0.0.0";

/**
 * npm is shown a project that has the image's packages alone. Asked about the
 * checkout itself (`--omit dev`), it leaves out whatever a tool of the project
 * happens to need as well.
 */
async function askNpm(checkout: string, packages: Packages): Promise<NpmDocument> {
  const npm = onPath("npm");
  if (npm === undefined) throw npmProblem("npm-missing", "npm is not on the path");
  const lock = readLock(checkout);
  const root = { name: "packages", version: "0.0.0", dependencies: dependenciesOf(lock) };
  const folder = mkdtempSync(join(tmpdir(), "qalqan-npm-"));
  try {
    const write = (file: string, document: unknown) =>
      writeFileSync(join(folder, file), JSON.stringify(document));
    write("package.json", root);
    write("package-lock.json", {
      ...root,
      lockfileVersion: lock.lockfileVersion,
      packages: { "": root, ...Object.fromEntries(packages) },
    });
    const parameters = ["sbom", "--sbom-format", "cyclonedx", "--omit", "dev", "--package-lock-only"];
    const { stdout } = await run(npm, parameters, { cwd: folder, maxBuffer: outputBytesMax });
    const document = JSON.parse(stdout) as NpmDocument;
    if (document.specVersion !== specification) {
      throw new Error(`npm writes CycloneDX ${document.specVersion}, expected is ${specification}`);
    }
    return document;
  } catch (error) {
    throw npmProblem("npm-failed", error instanceof Error ? error.message : String(error));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A UUID whose bits are our own choice (RFC 9562, version 8), made of a digest. */
function uuidOf(digest: string): string {
  const digits = digest.replace("sha256:", "");
  const part = (from: number, to: number) => digits.slice(from, to);
  return `${part(0, 8)}-${part(8, 12)}-8${part(13, 16)}-8${part(17, 20)}-${part(20, 32)}`;
}

function npmProblem(code: string, why: string): Problem {
  return new Problem({
    code,
    field: "bill of materials",
    value: "npm sbom",
    message: `npm cannot tell what the packages are: ${why}`,
    remedy: "npm 10 or newer is needed: it comes with Node, https://nodejs.org",
  });
}
