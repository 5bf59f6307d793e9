import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { loadRegions, regionsFolder } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { trustedNkeys } from "#infra/keys/public-keys.ts";
import { TestClusters } from "#test/kubernetes/clusters.ts";
import { runCli } from "./run-cli.ts";

let root: string;
let web: Server;
let clusters: TestClusters;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "qalqan-region-test-"));
  clusters = await TestClusters.start(["qalqan-semey"]);
  // Something that answers, and is no cluster.
  web = createServer((_, response) => response.end('{"hello":"world"}')).listen(0, "127.0.0.1");
  await new Promise((resolve) => web.once("listening", resolve));
  vi.stubEnv("KUBECONFIG", `${clusters.kubeconfigFile}:${kubeconfig((web.address() as AddressInfo).port)}`);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  web.close();
  await clusters.stop();
  rmSync(root, { recursive: true, force: true });
});

/** Contexts of a web server and of a machine where nothing listens. */
function kubeconfig(port: number): string {
  const file = join(root, "other-contexts");
  const servers = { web: `http://127.0.0.1:${port}`, silent: "http://127.0.0.1:9" };
  const content = {
    apiVersion: "v1",
    kind: "Config",
    clusters: Object.entries(servers).map(([name, server]) => ({ name, cluster: { server } })),
    contexts: Object.keys(servers).map((name) => ({ name, context: { cluster: name } })),
  };
  writeFileSync(file, JSON.stringify(content));
  return file;
}

const folder = (name: string) => join(root, name);
const where = () => ["--deployment", folder("deployment"), "--regions-folder", folder("regions")];
const deployment = () =>
  Deployment.of(
    { deployment: folder("deployment"), regions: folder("regions") },
    { QALQAN_KEYS_IDENTITY_FILE: folder("identity") },
  );

beforeEach(async () => {
  mkdirSync(folder("regions"));
  for (const name of readdirSync(regionsFolder))
    copyFileSync(join(regionsFolder, name), join(folder("regions"), name));
  await deployment().access.makeIdentity(folder("identity"));
});
afterEach(() => {
  for (const name of ["regions", "deployment", "identity"])
    rmSync(folder(name), { recursive: true, force: true });
});

/** Every file of the deployment and of the regions, with its content. */
function everything(): Record<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file, "utf8")]),
  );
}

const right: Readonly<Record<string, string>> = {
  iso: "KZ-64",
  "name-kk": "Семей",
  "name-ru": "Семей",
  "name-en": "Semey",
  "centre-kk": "Семей",
  "centre-ru": "Семей",
  latitude: "50.41",
  longitude: "80.25",
  "area-codes": "7999,79998",
  size: "small",
  wave: "6",
  context: "qalqan-semey",
};

const add = (slug: string, changes: Readonly<Record<string, string>> = {}, more: readonly string[] = []) =>
  runCli(
    "region",
    "add",
    slug,
    ...Object.entries({ ...right, ...changes }).flatMap(([name, value]) => [`--${name}`, value]),
    ...where(),
    ...more,
  );

const run = async (...words: readonly string[]) => {
  const { code, stdout } = await runCli(...words, ...where(), "--json");
  return { code, answer: JSON.parse(stdout) as Record<string, unknown> };
};

describe("region add", () => {
  test("writes the region's file and its keys, and says what to do next", async () => {
    const { code, stdout, stderr } = await add("semey", { "storage-class": "fast" });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const regions = loadRegions(folder("regions"));
    expect(regions).toHaveLength(21);
    expect(regions.find(({ slug }) => slug === "semey")).toMatchObject({
      iso: "KZ-64",
      names: { kk: "Семей", ru: "Семей", en: "Semey" },
      coordinates: { latitude: 50.41, longitude: 80.25 },
      areaCodes: ["7999", "79998"],
      sizeClass: "small",
      rolloutWave: 6,
      cluster: { context: "qalqan-semey", storageClass: "fast", ingress: { host: "semey.qalqan.example" } },
    });
    const keys = await deployment().keys("semey");
    expect(keys.publicKeys("nats-leaf")).toEqual(trustedNkeys(deployment().publicKeys("semey"), "nats-leaf"));
    expect(stdout).toMatch(/its cluster qalqan-semey answers \(v1\.\d+\.\d+/);
    const steps = [
      `git add ${join(folder("regions"), "semey.yaml")}`,
      "npx qalqan keys make capital",
      `export QALQAN_DEPLOYMENT=${folder("deployment")}`,
      "pulumi -C infra/kubernetes/capital up --stack capital",
      "pulumi -C infra/kubernetes/region stack init semey",
      "pulumi -C infra/kubernetes/region up --stack semey",
    ];
    const at = steps.map((step) => stdout.indexOf(step));
    expect(at).not.toContain(-1);
    expect(at).toEqual(at.toSorted((left, right_) => left - right_));
  });

  test("answers programs with one document", async () => {
    const { code, stdout } = await add("semey", {}, ["--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      region: "semey",
      file: join(folder("regions"), "semey.yaml"),
      keys: { fingerprint: deployment().publicKeys("semey").fingerprint },
      cluster: { context: "qalqan-semey", version: expect.stringMatching(/^v1\./) },
      next: expect.arrayContaining([{ command: expect.any(String), why: expect.any(String) }]),
    });
  });

  test.each<[string, string, Record<string, string>, { code: string; field: string }]>([
    ["a slug in capitals", "Semey", {}, { code: "region-invalid", field: "slug" }],
    ["a slug that leads elsewhere", "../semey", {}, { code: "region-invalid", field: "slug" }],
    ["the capital's slug", "capital", {}, { code: "region-invalid", field: "slug" }],
    ["a slug that is taken", "astana", {}, { code: "region-invalid", field: "slug" }],
    ["a code that is none", "semey", { iso: "RU-64" }, { code: "region-invalid", field: "iso" }],
    ["a code that is taken", "semey", { iso: "KZ-71" }, { code: "region-invalid", field: "iso" }],
    ["a name of nothing", "semey", { "name-kk": " " }, { code: "region-invalid", field: "names.kk" }],
    ["a latitude of words", "semey", { latitude: "north" }, { code: "wrong-use", field: "latitude" }],
    [
      "a place abroad",
      "semey",
      { longitude: "12.5" },
      { code: "region-invalid", field: "coordinates.longitude" },
    ],
    [
      "area codes that are none",
      "semey",
      { "area-codes": "112" },
      { code: "region-invalid", field: "areaCodes.0" },
    ],
    [
      "area codes that are taken",
      "semey",
      { "area-codes": "7172" },
      { code: "region-invalid", field: "areaCodes" },
    ],
    ["a size that there is not", "semey", { size: "huge" }, { code: "wrong-use", field: "size" }],
    ["a wave that is no number", "semey", { wave: "next" }, { code: "wrong-use", field: "wave" }],
    ["a wave that leaves a gap", "semey", { wave: "7" }, { code: "region-invalid", field: "rolloutWave" }],
    [
      "a storage class that is none",
      "semey",
      { "storage-class": "Fast!" },
      { code: "region-invalid", field: "cluster.storageClass" },
    ],
    [
      "another's context",
      "semey",
      { context: "qalqan-astana" },
      { code: "region-invalid", field: "cluster.context" },
    ],
    [
      "a context that there is not",
      "semey",
      { context: "nowhere" },
      { code: "context-unknown", field: "cluster.context" },
    ],
    [
      "a cluster that is silent",
      "semey",
      { context: "silent" },
      { code: "cluster-unreachable", field: "cluster.context" },
    ],
    [
      "a cluster that is no cluster",
      "semey",
      { context: "web" },
      { code: "not-a-cluster", field: "cluster.context" },
    ],
  ])("refuses %s and leaves no trace", async (_, slug, changes, expected) => {
    const before = everything();
    const { code, stdout } = await add(slug, changes, ["--json"]);
    expect(code).toBe(expected.code === "wrong-use" ? 2 : 1);
    const { error } = JSON.parse(stdout) as { error: Record<string, string> };
    expect(error).toMatchObject(expected);
    expect(error["message"]).not.toBe("");
    expect(error["remedy"]).not.toBe("");
    expect(everything()).toEqual(before);
  });

  test.each<[string, () => void, string]>([
    [
      "nobody could open the keys",
      () => rmSync(join(folder("deployment"), "recipients.txt")),
      "recipients-missing",
    ],
    [
      "another region's file is broken",
      () => writeFileSync(join(folder("regions"), "astana.yaml"), "slug: astana\n"),
      "region-invalid",
    ],
    [
      "there are keys of that name",
      () => {
        mkdirSync(join(folder("deployment"), "keys"));
        writeFileSync(join(folder("deployment"), "keys", "semey.age"), "somebody's");
      },
      "keys-exist",
    ],
    // A file in the place of the folder: found only when the keys are written, after the region's file.
    [
      "the keys cannot be written",
      () => writeFileSync(join(folder("deployment"), "keys"), ""),
      "keys-unwritable",
    ],
  ])("leaves no trace where %s", async (_, spoil, expected) => {
    spoil();
    const before = everything();
    const { code, stdout } = await add("semey", {}, ["--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: expected } });
    expect(everything()).toEqual(before);
  });
});

describe("region list", () => {
  test("has every region, and how it stands with its keys", async () => {
    const { keyStore, keyOrder } = bound(deployment());
    await keyStore.make(keyOrder("astana"));
    await keyStore.make(keyOrder("almaty"));
    await keyStore.rotate(keyOrder("almaty"));
    writeFileSync(join(folder("deployment"), "keys", "abai.age"), "damaged");
    const { answer } = await run("region", "list");
    const regions = answer["regions"] as { region: string; keys: string }[];
    expect(regions).toHaveLength(20);
    expect(regions.find(({ region }) => region === "astana")).toEqual({
      region: "astana",
      iso: "KZ-71",
      names: { kk: "Астана", ru: "Астана", en: "Astana" },
      wave: 1,
      size: "large",
      context: "qalqan-astana",
      host: "astana.qalqan.example",
      keys: "made",
    });
    const stateOf = (slug: string) => regions.find(({ region }) => region === slug)?.keys;
    expect(["almaty", "abai", "akmola"].map(stateOf)).toEqual(["rotating", "unusable", "none"]);
    const { stdout } = await runCli("region", "list", ...where());
    expect(stdout).toMatch(/^astana +Astana +Астана +Астана +1 +large +qalqan-astana +made$/m);
  });
});

describe("region retire", () => {
  test("removes the file, keeps the keys aside, and says what to do next", async () => {
    const { keyStore, keyOrder } = bound(deployment());
    await keyStore.make(keyOrder("ulytau"));
    const keys = readFileSync(join(folder("deployment"), "keys", "ulytau.age"), "utf8");
    const { code, stdout } = await runCli("region", "retire", "ulytau", "--yes", ...where());
    expect(code).toBe(0);
    expect(loadRegions(folder("regions")).map(({ slug }) => slug)).not.toContain("ulytau");
    expect(readdirSync(join(folder("deployment"), "keys"))).toEqual(["retired"]);
    const aside = readdirSync(join(folder("deployment"), "keys", "retired")).sort();
    expect(aside).toEqual([
      expect.stringMatching(/^ulytau-\d{8}T\d{6}Z\.age$/),
      expect.stringMatching(/^ulytau-\d{8}T\d{6}Z\.public\.json$/),
    ]);
    expect(readFileSync(join(folder("deployment"), "keys", "retired", aside[0] ?? ""), "utf8")).toBe(keys);
    expect(stdout).toContain("What it said before stays valid");
    expect(stdout).toContain("pulumi -C infra/kubernetes/capital up --stack capital");
    expect(stdout).toContain("pulumi -C infra/kubernetes/region destroy --stack ulytau");
  });

  test("lets the same slug join again, with other keys", async () => {
    expect((await add("semey")).code).toBe(0);
    const { fingerprint } = deployment().publicKeys("semey");
    expect((await run("region", "retire", "semey", "--yes")).code).toBe(0);
    expect((await add("semey")).code).toBe(0);
    expect(deployment().publicKeys("semey").fingerprint).not.toBe(fingerprint);
  });

  test.each([
    ["without --yes", ["ulytau"], { code: "wrong-use", field: "yes" }],
    ["a region that there is not", ["semey", "--yes"], { code: "unknown-region", field: "region" }],
    ["the only region of a wave", ["astana", "--yes"], { code: "region-needed", field: "rolloutWave" }],
  ])("refuses %s, and nothing is changed", async (_, words, expected) => {
    const before = everything();
    const { code, answer } = await run("region", "retire", ...words);
    expect(code).toBe(expected.code === "wrong-use" ? 2 : 1);
    expect(answer).toMatchObject({ error: expected });
    expect(everything()).toEqual(before);
  });
});

function bound(each: Deployment) {
  return { keyStore: each.keyStore, keyOrder: (site: string) => each.keyOrder(site) };
}
