import { cpSync, mkdirSync, mkdtempSync, appendFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadRegions, regionsFolder } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { placeholderRelease } from "#infra/deployment/release.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { namespaceOf } from "#infra/kubernetes/names.ts";
import type { Site } from "#infra/kubernetes/site.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";
import { TestClusters } from "./clusters.ts";
import { qalqan } from "./qalqan.ts";

const clusterNames = ["first", "second"] as const;
const storageClass = "made-beforehand";
const readyWaitMs = 120_000;

let clusters: TestClusters;
let sites: readonly {
  readonly site: Site;
  readonly cluster: string;
  readonly manifests: readonly Manifest[];
}[];
const folder = mkdtempSync(join(tmpdir(), "qalqan-stacks-"));
const regions = join(folder, "regions");
const deployment = join(folder, "deployment");

beforeAll(async () => {
  clusters = await TestClusters.start(clusterNames);
  cpSync(regionsFolder, regions, { recursive: true });
  for (const file of readdirSync(regions).filter((name) => name.endsWith(".yaml"))) {
    appendFileSync(join(regions, file), `  storageClass: ${storageClass}\n`);
  }
  mkdirSync(deployment);
  writeFileSync(
    join(deployment, "capital.yaml"),
    `sizeClass: small\nleafHost: hub.qalqan.example\nleafPort: 7422\ncluster: { context: qalqan-capital, storageClass: ${storageClass} }\n`,
  );
  writeFileSync(join(deployment, "release.json"), JSON.stringify(placeholderRelease));
  const nation = placeholderNation(Deployment.of({ deployment, regions }, {}));
  const names = ["capital", ...nation.regions.map(({ slug }) => slug)];
  sites = await Promise.all(
    names.map(async (name, index) => {
      const site = await siteOf(nation, name);
      const cluster = clusterNames[index % clusterNames.length] ?? "first";
      return { site, cluster, manifests: siteManifests(site) };
    }),
  );
});
afterAll(() => clusters.stop());

test("the manifests of all stacks are accepted, and every workload becomes ready", async () => {
  expect(sites).toHaveLength(loadRegions().length + 1);
  // One cluster after the other within itself, both at once.
  await Promise.all(
    clusterNames.map(async (name) => {
      for (const { manifests, cluster } of sites) {
        if (cluster !== name) continue;
        await clusters.makeVolumes(cluster, manifests);
        await clusters.apply(cluster, manifests);
      }
    }),
  );
  await Promise.all(
    sites.map(({ site, cluster }) => clusters.untilReady(cluster, namespaceOf(site.stack.site), readyWaitMs)),
  );
  // The autoscaler raises screening to its least within its own round of 15 s.
  for (const { site, cluster } of sites) {
    const expected = site.stack.workloads.reduce((sum, { replicas }) => sum + replicas.least, 0);
    const count = async () => (await clusters.list(cluster, "pods", namespaceOf(site.stack.site))).length;
    await expect.poll(count, { timeout: readyWaitMs, interval: 1_000 }).toBe(expected);
    await clusters.untilReady(cluster, namespaceOf(site.stack.site), readyWaitMs);
  }
});

test("applied again, nothing changes", async () => {
  const before = await generations();
  for (const { cluster, manifests } of sites) await clusters.apply(cluster, manifests);
  expect(await generations()).toEqual(before);
});

async function generations(): Promise<readonly string[]> {
  const lists = await Promise.all(
    clusterNames.map((name) =>
      clusters.kubectl(name, [
        "get",
        "deployments,statefulsets",
        "--all-namespaces",
        "--output",
        'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.generation}{"\\n"}{end}',
      ]),
    ),
  );
  return lists.flatMap((list) => list.trim().split("\n")).toSorted();
}

test("what runs has one hash twenty times, and a region that was changed by hand is named with the field", async () => {
  for (const { site, cluster } of sites) {
    await clusters.kubectl(cluster, [
      "config",
      "set-context",
      site.cluster.context,
      `--cluster=${cluster}`,
      `--user=${await userOf(cluster)}`,
    ]);
  }
  const live = () =>
    qalqan(["parity", "--live", "--json", "--deployment", deployment, "--regions-folder", regions], {
      KUBECONFIG: clusters.kubeconfigFile,
    });
  const same = await live();
  expect(same.stderr).toBe("");
  const { regions: judged } = JSON.parse(same.stdout) as { regions: { region: string; hash: string }[] };
  expect(judged.filter((each) => "unlike" in each)).toEqual([]);
  expect(judged).toHaveLength(loadRegions().length);
  expect(new Set(judged.map(({ hash }) => hash)).size).toBe(1);
  expect(same.code).toBe(0);

  const unlike = async () => {
    const { code, stdout } = await live();
    expect(code).toBe(1);
    return (JSON.parse(stdout) as { regions: object[] }).regions.filter((each) => "unlike" in each);
  };
  const inTurkistan = (parameters: readonly string[], input = "") => {
    const target = sites.find(({ site }) => site.stack.site === "turkistan");
    return clusters.kubectl(target?.cluster ?? "", ["--namespace", "qalqan-turkistan", ...parameters], input);
  };
  await inTurkistan(["set", "env", "deployment/centre", "LOG_LEVEL=debug"]);
  expect(await unlike()).toMatchObject([
    {
      region: "turkistan",
      unlike: {
        field: "spec.template.spec.containers[centre].env[LOG_LEVEL].value",
        value: '"debug"',
        expected: '"info"',
      },
    },
  ]);
  await inTurkistan(["set", "env", "deployment/centre", "LOG_LEVEL=info"]);

  // A door that is opened by adding something is seen as well.
  const everybody = '{"spec":{"ingress":[{}]}}';
  await inTurkistan(["patch", "networkpolicy", "deny-all", "--type=merge", `--patch=${everybody}`]);
  expect(await unlike()).toMatchObject([
    { region: "turkistan", unlike: { object: expect.stringContaining("deny-all"), field: "spec.ingress" } },
  ]);
  await inTurkistan([
    "patch",
    "networkpolicy",
    "deny-all",
    "--type=json",
    '--patch=[{"op":"remove","path":"/spec/ingress"}]',
  ]);
  const foreign = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "open" },
    spec: { podSelector: {}, ingress: [{}] },
  };
  await inTurkistan(["apply", "--filename=-"], JSON.stringify(foreign));
  expect(await unlike()).toMatchObject([
    { region: "turkistan", unlike: { object: expect.stringContaining("open"), expected: "nothing" } },
  ]);
});

async function userOf(cluster: string): Promise<string> {
  const path = `jsonpath={.contexts[?(@.name=="${cluster}")].context.user}`;
  return (await clusters.kubectl(cluster, ["config", "view", "--output", path])).trim();
}
