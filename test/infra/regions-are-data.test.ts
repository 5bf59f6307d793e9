import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import {
  loadRegions,
  RegionInvalid,
  regionSchema,
  regionsFolder,
  type Region,
} from "#infra/blueprint/regions.ts";
import { temporaryFolder } from "./small-nation.ts";

/** The project's regions in a folder of the test. */
function copied(path: string): void {
  for (const name of readdirSync(regionsFolder)) copyFileSync(join(regionsFolder, name), join(path, name));
}

/** Changes one file of a folder. */
function change(path: string, file: string, from: string, to: string): void {
  const before = readFileSync(join(path, file), "utf8");
  expect(before).toContain(from);
  writeFileSync(join(path, file), before.replace(from, to));
}

const astana = (regions: readonly Region[]) => regions.find(({ slug }) => slug === "astana");

test("there are twenty, Astana alone in the first wave", () => {
  const regions = loadRegions();
  expect(regions).toHaveLength(20);
  expect(regions.filter(({ rolloutWave }) => rolloutWave === 1).map(({ slug }) => slug)).toEqual(["astana"]);
});

/** In place of the cluster's context, with more below it. */
const cluster = (lines: string) => `context: qalqan-astana\n  ${lines}`;

test.each([
  ["an unknown key", "sizeClass:", "sizeClas:", { field: "sizeClass", value: "missing" }],
  ["a key too many", "sizeClass:", "extra: 1\nsizeClass:", { field: "extra", value: "1" }],
  ["a wrong size", "large", "huge", { field: "sizeClass", value: '"huge"' }],
  ["the capital's slug", "slug: astana", "slug: capital", { field: "slug", value: '"capital"' }],
  ["a slug in capitals", "slug: astana", "slug: Astana", { field: "slug", value: '"Astana"' }],
  ["a slug of another file", "slug: astana", "slug: astanalyk", { field: "slug", value: "astanalyk" }],
  ["a slug that another has", "slug: astana", "slug: almaty", { field: "slug", value: "almaty" }],
  ["a code that another has", "KZ-71", "KZ-75", { field: "iso", value: "KZ-75" }],
  ["coordinates abroad", "51.1801", "15.1", { field: "coordinates.latitude", value: "15.1" }],
  ["a key twice", "sizeClass:", "slug: astana\nsizeClass:", { field: "", value: "not YAML" }],
  ["a wave of no number", "rolloutWave: 1", "rolloutWave: first", { field: "rolloutWave", value: '"first"' }],
  ["a wave before the first", "rolloutWave: 1", "rolloutWave: 0", { field: "rolloutWave", value: "0" }],
  [
    "a cluster's unknown key",
    "context: qalqan-astana",
    cluster("storageclass: fast"),
    { field: "cluster.storageclass", value: '"fast"' },
  ],
  [
    "a network that is none",
    "context: qalqan-astana",
    cluster("networks: { switches: [10.0.0.0/33] }"),
    { field: "cluster.networks.switches.0", value: '"10.0.0.0/33"' },
  ],
  [
    "a host of a network in place of the network",
    "context: qalqan-astana",
    cluster("networks: { people: [10.0.0.0/8, 192.168.1.7/24] }"),
    { field: "cluster.networks.people.1", value: '"192.168.1.7/24"' },
  ],
  [
    "no network at all",
    "context: qalqan-astana",
    cluster("networks: { capital: [] }"),
    { field: "cluster.networks.capital", value: "[]" },
  ],
  [
    "a host name with a scheme",
    "context: qalqan-astana",
    cluster("ingress: { host: 'https://astana.kz' }"),
    { field: "cluster.ingress.host", value: '"https://astana.kz"' },
  ],
  [
    "a host name that another has",
    "context: qalqan-astana",
    cluster("ingress: { host: almaty.qalqan.example }"),
    { field: "cluster.ingress.host", value: "almaty.qalqan.example" },
  ],
  [
    "a type of Service that there is not",
    "context: qalqan-astana",
    cluster("serviceType: Balancer"),
    { field: "cluster.serviceType", value: '"Balancer"' },
  ],
  [
    "a class of load balancers without one",
    "context: qalqan-astana",
    cluster("serviceType: NodePort\n  loadBalancerClass: example.com/nlb"),
    { field: "cluster.loadBalancerClass", value: '"example.com/nlb"' },
  ],
  [
    "a port that is none",
    "context: qalqan-astana",
    cluster("dns: { port: 0 }"),
    { field: "cluster.dns.port", value: "0" },
  ],
])("%s is refused with file, field, value and remedy", (_, from, to, expected) => {
  using folder = temporaryFolder();
  copied(folder.path);
  change(folder.path, "astana.yaml", from, to);
  expect(() => loadRegions(folder.path)).toThrow(RegionInvalid);
  expect(() => loadRegions(folder.path)).toThrow(
    expect.objectContaining({ ...expected, file: "astana.yaml", remedy: expect.stringMatching(/./) }),
  );
});

describe("waves", () => {
  test("follow one another: one that would leave a gap does not exist", () => {
    using folder = temporaryFolder();
    copied(folder.path);
    change(folder.path, "astana.yaml", "rolloutWave: 1", "rolloutWave: 7");
    // Nobody is in the first wave any more, so that no later one would ever begin.
    expect(() => loadRegions(folder.path)).toThrow(
      expect.objectContaining({ file: "abai.yaml", field: "rolloutWave" }),
    );
    change(folder.path, "almaty.yaml", "rolloutWave: 2", "rolloutWave: 1");
    change(folder.path, "shymkent.yaml", "rolloutWave: 3", "rolloutWave: 2");
    expect(() => loadRegions(folder.path)).toThrow(
      expect.objectContaining({
        file: "astana.yaml",
        field: "rolloutWave",
        value: "7",
        remedy: expect.stringContaining("give 1 to 6"),
      }),
    );
    change(folder.path, "astana.yaml", "rolloutWave: 7", "rolloutWave: 6");
    expect(astana(loadRegions(folder.path))?.rolloutWave).toBe(6);
  });
});

test("a file that would silently be left out is refused", () => {
  using folder = temporaryFolder();
  copied(folder.path);
  writeFileSync(join(folder.path, "zhanga.yml"), "slug: zhanga\n");
  expect(() => loadRegions(folder.path)).toThrow(expect.objectContaining({ file: "zhanga.yml" }));
});

describe("the settings of a cluster", () => {
  test("have a default each but for the context", () => {
    const region = loadRegions().find(({ slug }) => slug === "west-kazakhstan");
    expect(region?.cluster).toEqual({
      context: "qalqan-west-kazakhstan",
      serviceType: "LoadBalancer",
      loadBalancerAnnotations: {},
      ingress: {
        className: "nginx",
        host: "west-kazakhstan.qalqan.example",
        issuer: "letsencrypt",
        namespace: "ingress-nginx",
      },
      networks: {
        switches: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        people: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        regions: ["0.0.0.0/0"],
        capital: ["0.0.0.0/0"],
      },
      dns: { namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, port: 53 },
    });
  });

  test("are what the file says", () => {
    using folder = temporaryFolder();
    copied(folder.path);
    const settings = {
      context: "own",
      storageClass: "fast.ssd",
      loadBalancerClass: "service.k8s.aws/nlb",
      loadBalancerAnnotations: { "example.com/internal": "true" },
      ingress: { host: "stop.astana.kz", className: "traefik", issuer: "own", namespace: "traefik" },
      networks: { switches: ["10.7.0.0/16", "2001:db8::/32"], capital: ["203.0.113.7/32"] },
      dns: { namespace: "dns", labels: { app: "coredns" }, port: 1053 },
    };
    change(
      folder.path,
      "astana.yaml",
      "cluster:\n  context: qalqan-astana",
      `cluster: ${JSON.stringify(settings)}`,
    );
    const read = astana(loadRegions(folder.path))?.cluster;
    expect(read).toMatchObject(settings);
    expect(read?.networks.people).toContain("10.0.0.0/8");
  });
});

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly default?: unknown;
  readonly enum?: readonly string[];
}

/** Every field with what an editor is told of it: whether it is required, its default, its words. */
function fields(schema: JsonSchema, path = ""): unknown[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    {
      path: `${path}${name}`,
      required: schema.required?.includes(name) ?? false,
      closed: field.properties === undefined || field.additionalProperties === false,
      default: field.default,
      words: field.enum,
    },
    ...fields(field, `${path}${name}.`),
  ]);
}

test("editors know the same fields as the loader, with the same defaults", () => {
  const schema = JSON.parse(readFileSync(join(regionsFolder, "region.schema.json"), "utf8")) as JsonSchema;
  const own = z.toJSONSchema(regionSchema, { io: "input" }) as JsonSchema;
  const sorted = (all: unknown[]) => all.map((field) => JSON.stringify(field)).sort();
  expect(sorted(fields(schema))).toEqual(sorted(fields(own)));
});

test("two regions differ in amounts and names, never in what they consist of", () => {
  const shape = (slug: string, resources: readonly string[]) =>
    JSON.stringify(
      loadRegions()
        .filter((region) => region.slug === slug)
        .map(regionalStack),
      (key, value: unknown) => (resources.includes(key) ? undefined : value),
    ).replaceAll(slug, "<region>");
  const amounts = ["resources", "gibibytes"];
  const first = shape("astana", amounts);
  for (const { slug } of loadRegions()) expect(shape(slug, amounts)).toBe(first);
});
