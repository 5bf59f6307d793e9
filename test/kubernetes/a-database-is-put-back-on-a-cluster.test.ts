import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { placeholderRelease } from "#infra/deployment/release.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { restorePodName } from "#infra/kubernetes/restore-objects.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, regionSite } from "#infra/kubernetes/sites.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { temporaryFolder, until } from "#test/infra/small-nation.ts";
import { restoreOnCluster } from "../../services/cli/backups/on-clusters.ts";
import { TestClusters } from "./clusters.ts";

/** Nodes only pretend to run pods here: nothing is copied, and a pod that should end does not. */
const untilRestored = /^(kubectl .*)(wait pod\/|logs )/;

test("the printed steps are taken by a real API server: the site stops, the pod has its volumes, the site is back", async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, "deployment"));
  writeFileSync(join(folder.path, "deployment", "release.json"), JSON.stringify(placeholderRelease));
  const deployment = Deployment.of({ deployment: join(folder.path, "deployment") }, {});
  const site = await regionSite(placeholderNation(deployment), "astana");
  const { context } = site.cluster;
  const namespace = "qalqan-astana";
  await using clusters = await TestClusters.start([context]);
  const manifests = siteManifests(site);
  await clusters.apply(context, manifests);
  await clusters.makeVolumes(context, manifests);
  await clusters.untilReady(context, namespace, 60_000);

  const { steps } = await restoreOnCluster(deployment, "astana", { until: new Date(), timeline: 2 });
  const path = `${dirname(findTool("kubectl"))}:${process.env["PATH"]}`;
  const seen = new Set<string>();
  for (const { command } of steps.filter((step) => step.command.startsWith("kubectl"))) {
    if (untilRestored.test(command)) {
      await until("the pod runs", async () => (await phaseOf(clusters, context, namespace)) === "Running");
      seen.add(command.replace(/^.* (wait|logs) .*$/, "$1"));
      continue;
    }
    execFileSync("/bin/sh", ["-c", command], {
      env: { PATH: path, KUBECONFIG: clusters.kubeconfigFile, HOME: folder.path },
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  await clusters.untilReady(context, namespace, 60_000);
  expect([...seen]).toEqual(["wait", "logs"]);
  expect(await phaseOf(clusters, context, namespace)).toBe("");
});

async function phaseOf(clusters: TestClusters, context: string, namespace: string): Promise<string> {
  const pods = await clusters.list(context, "pods", namespace);
  const pod = pods.find(({ metadata }) => metadata.name === restorePodName) as
    { readonly status?: { readonly phase?: string } } | undefined;
  return pod?.status?.phase ?? "";
}
