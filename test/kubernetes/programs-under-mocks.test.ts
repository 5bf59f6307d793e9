import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { Deployment } from "#infra/deployment/deployment.ts";
import { CentralStack, RegionalStack } from "#infra/kubernetes/components/site-stack.ts";
import { titleOf, type Manifest } from "#infra/kubernetes/manifest.ts";
import type { Site } from "#infra/kubernetes/site.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { capitalSite, placeholderNation, regionSite } from "#infra/kubernetes/sites.ts";

interface Registered {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

const registered: Registered[] = [];
const nation = placeholderNation(Deployment.of({}, {}));

beforeAll(async () => {
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      registered.push({ type, name, inputs: inputs as Registered["inputs"] });
      return { id: `${name}-id`, state: inputs as Record<string, unknown> };
    },
    call: ({ inputs }) => inputs as Record<string, unknown>,
  });
});

const settled = <Value>(output: pulumi.Output<Value>): Promise<Value> =>
  new Promise((resolve) => output.apply(resolve));

/** Runs a component and gives the manifests that reached the engine, by title. */
async function registeredBy(make: () => RegionalStack | CentralStack) {
  registered.length = 0;
  const stack = make();
  const outputs = {
    endpoints: await settled(stack.endpoints),
    blueprintHash: await settled(stack.blueprintHash),
    release: await settled(stack.release),
  };
  const objects = registered.filter(({ type }) => /^kubernetes:.+\/.+:/.test(type));
  return { outputs, types: registered.map(({ type }) => type), objects };
}

/** What the engine alone is told is no part of the manifest. */
function bare(inputs: Registered["inputs"]): Manifest {
  const manifest = JSON.parse(JSON.stringify(inputs)) as Manifest;
  const { annotations: told, ...metadata } = manifest.metadata;
  const annotations = Object.fromEntries(
    Object.entries(told ?? {}).filter(([name]) => name !== "pulumi.com/skipAwait"),
  );
  const isPlain = Object.keys(annotations).length === 0;
  return { ...manifest, metadata: isPlain ? metadata : { ...metadata, annotations } };
}

async function expectManifests(site: Site, objects: readonly Registered[]): Promise<void> {
  const rendered = siteManifests(site);
  const byTitle = new Map(objects.map(({ inputs }) => [titleOf(bare(inputs)), bare(inputs)]));
  expect([...byTitle.keys()].toSorted()).toEqual(rendered.map(titleOf).toSorted());
  for (const manifest of rendered.filter(({ kind }) => kind !== "Secret")) {
    expect(byTitle.get(titleOf(manifest))).toEqual(JSON.parse(JSON.stringify(manifest)));
  }
}

test("the region's program registers exactly the manifests of its site, and says what it is", async () => {
  const site = await regionSite(nation, "mangystau");
  const { objects, outputs, types } = await registeredBy(() => new RegionalStack("mangystau", { site }));
  await expectManifests(site, objects);
  expect(types).toContain("qalqan:kubernetes:RegionalStack");
  expect(outputs.release).toBe(nation.release.version);
  expect(outputs.endpoints).toMatchObject({
    "screening-edge": expect.stringMatching(/:7443$/),
    "centre-edge": expect.stringMatching(/:7443$/),
    page: `https://${site.cluster.ingress.host}`,
  });
});

test("two regions have one blueprint hash", async () => {
  const hashes = [];
  for (const slug of ["astana", "abai"]) {
    const site = await regionSite(nation, slug);
    hashes.push((await registeredBy(() => new RegionalStack(slug, { site }))).outputs.blueprintHash);
  }
  expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(hashes[1]).toBe(hashes[0]);
});

test("the capital's program registers exactly the manifests of the capital", async () => {
  const site = await capitalSite(nation);
  const { objects, types } = await registeredBy(() => new CentralStack("capital", { site }));
  await expectManifests(site, objects);
  expect(types).toContain("qalqan:kubernetes:CentralStack");
});

test("what is secret reaches the engine marked as a secret", async () => {
  const site = await regionSite(nation, "astana");
  const { objects } = await registeredBy(() => new RegionalStack("astana", { site }));
  const secrets = objects.filter(({ type }) => type === "kubernetes:core/v1:Secret");
  expect(secrets.length).toBeGreaterThan(0);
  for (const { inputs } of secrets) {
    const data = inputs["data"] as Record<string, unknown>;
    expect(pulumi.runtime.isRpcSecret(data) || Object.values(data).every(pulumi.runtime.isRpcSecret)).toBe(
      true,
    );
  }
});
