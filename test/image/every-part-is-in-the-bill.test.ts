import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ImageName } from "#infra/deployment/release.ts";
import { filesBelow } from "#infra/image/entries.ts";
import { textOf } from "#test/house/sources.ts";
import { builtImages, type BuiltImages } from "./built-images.ts";
import { readImage, type ReadImage } from "./read-image.ts";

/** What CycloneDX 1.5 demands of the parts that we write. */
const component = z.looseObject({
  "bom-ref": z.string().min(1),
  type: z.enum(["application", "library", "container"]),
  name: z.string().min(1),
  version: z.string().regex(/\d/),
  purl: z.string().regex(/^pkg:[a-z]+\/[^@]+@[^@]+$/),
  hashes: z
    .array(
      z.strictObject({
        alg: z.enum(["SHA-256", "SHA-512"]),
        content: z.string().regex(/^[0-9a-f]{64,128}$/),
      }),
    )
    .optional(),
});
const billSchema = z.strictObject({
  $schema: z.literal("http://cyclonedx.org/schema/bom-1.5.schema.json"),
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.literal("1.5"),
  serialNumber: z
    .string()
    .regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
  version: z.literal(1),
  metadata: z.looseObject({ component }),
  components: z.array(component),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

const names: readonly ImageName[] = ["qalqan", "nats", "postgres"];
const folder = mkdtempSync(join(tmpdir(), "qalqan-bills-"));
let built: BuiltImages;
let image: ReadImage;

const billOf = (name: ImageName) => billSchema.parse(JSON.parse(readFileSync(built.bills[name], "utf8")));
const purls = (name: ImageName) => billOf(name).components.map(({ purl }) => purl);

beforeAll(async () => {
  built = await builtImages();
  image = await readImage(built.files.qalqan, folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A package's own manifest, below node_modules: not one that it keeps in a folder of its own. */
const manifest = /^((@[^/]+\/)?[^/]+\/node_modules\/)*(@[^/]+\/)?[^/]+\/package\.json$/;

/** Packages of npm in the image, as a bill names them. */
function packagesInImage(): string[] {
  const packages = join(image.root, "app", "node_modules");
  const purlsFound = filesBelow(packages)
    .filter(({ path }) => manifest.test(path))
    .map(({ path }) => {
      const { name, version } = JSON.parse(readFileSync(join(packages, path), "utf8")) as Record<
        string,
        string
      >;
      return `pkg:npm/${name?.replace("@", "%40")}@${version}`;
    });
  return [...new Set(purlsFound)].toSorted();
}

describe.each(names)("the bill of the image %s", (name) => {
  test("is one of CycloneDX, of this image, and refers to nothing that it does not have", () => {
    const bill = billOf(name);
    const [repository, digest = ""] = built.release.images[name].split("@");
    expect(bill.metadata.component.purl).toContain(encodeURIComponent(digest));
    expect(bill.metadata.component.purl).toContain(encodeURIComponent(repository ?? ""));
    const refs = [bill.metadata.component, ...bill.components].map((each) => each["bom-ref"]);
    expect(new Set(refs).size).toBe(refs.length);
    const unknown = bill.dependencies
      .flatMap(({ ref, dependsOn }) => [ref, ...dependsOn])
      .filter((ref) => !refs.includes(ref));
    expect(unknown).toEqual([]);
  });

  test("has neither a time nor a place of the machine that made it", () => {
    const text = readFileSync(built.bills[name], "utf8");
    expect(text).not.toContain("timestamp");
    expect(text).not.toContain(tmpdir());
  });
});

describe("the bill of the services' image", () => {
  test("has every package that is in the image, and none that is not", () => {
    const inImage = packagesInImage();
    expect(inImage.length).toBeGreaterThan(80);
    expect(
      purls("qalqan")
        .filter((purl) => purl.startsWith("pkg:npm/"))
        .toSorted(),
    ).toEqual(inImage);
  });

  test("has each with its checksum and licence, as npm tells them", () => {
    const lacking = billOf("qalqan").components.filter(
      (each) =>
        each.purl.startsWith("pkg:npm/") && (each.hashes === undefined || each["licenses"] === undefined),
    );
    expect(lacking.map(({ purl }) => purl)).toEqual([]);
  });

  test("has no tool of the project", () => {
    const { devDependencies } = JSON.parse(textOf("package.json")) as {
      devDependencies: Record<string, string>;
    };
    const tools = Object.entries(devDependencies).map(
      ([name, version]) => `pkg:npm/${name.replace("@", "%40")}@${version}`,
    );
    // The types of Node come with a package that runs.
    const expected = tools.filter((purl) => purl.startsWith("pkg:npm/%40types/node@"));
    expect(tools.filter((purl) => purls("qalqan").includes(purl))).toEqual(expected);
  });

  test("has Node and Debian's libraries, with the version that is in the image", () => {
    const { dependencies } = JSON.parse(textOf("package.json")) as { dependencies: Record<string, string> };
    expect(purls("qalqan")).toContain(`pkg:generic/node@${dependencies["node"]}`);
    const debian = purls("qalqan").flatMap((purl) => /^pkg:deb\/[a-z]+\/([^@]+)@/.exec(purl)?.[1] ?? []);
    expect(debian.map(decodeURIComponent)).toEqual(
      expect.arrayContaining(["libc6", "libgcc-s1", "libstdc++6"]),
    );
    const licences = filesBelow(join(image.root, "usr", "share", "doc")).map(
      ({ path }) => path.split("/")[0],
    );
    expect(debian.map(decodeURIComponent).filter((name) => !licences.includes(name))).toEqual([]);
  });
});

test("the bills of the servers' images name the server, and what came with it", () => {
  expect(purls("nats")).toEqual([
    expect.stringMatching(/^pkg:golang\/github\.com\/nats-io\/nats-server\/v2@v2\./),
  ]);
  const postgres = purls("postgres").map((purl) => purl.replace(/@.*/, ""));
  expect(postgres).toEqual(
    expect.arrayContaining([
      "pkg:generic/postgresql",
      "pkg:generic/libcrypto",
      "pkg:deb/debian/busybox-static",
    ]),
  );
});
