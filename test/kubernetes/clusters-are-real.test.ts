import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Json, Manifest } from "#infra/kubernetes/manifest.ts";
import { descendants, isRunning, nameProcess, type ProcessName } from "#infra/local/own-process.ts";
import { temporaryFolder, until } from "../infra/small-nation.ts";
import { KubectlFailed, TestClusters } from "./clusters.ts";

let clusters: TestClusters;
beforeAll(async () => {
  clusters = await TestClusters.start(["north", "south"]);
});
afterAll(() => clusters.stop());

const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): Manifest => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

const configuration = (name: string, fields: Readonly<Record<string, Json>>): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  ...fields,
});

/** A workload of one container, with what its pods and its own specification have besides. */
function workload(
  kind: "Deployment" | "StatefulSet" | "Job",
  metadata: Manifest["metadata"],
  pod: Readonly<Record<string, Json>> = {},
  specification: Readonly<Record<string, Json>> = {},
): Manifest {
  const labels = { app: metadata.name };
  const isJob = kind === "Job";
  return {
    apiVersion: isJob ? "batch/v1" : "apps/v1",
    kind,
    metadata,
    spec: {
      ...(isJob ? {} : { selector: { matchLabels: labels } }),
      ...specification,
      template: {
        metadata: { labels },
        spec: {
          ...(isJob ? { restartPolicy: "Never" } : {}),
          containers: [{ name: "main", image: "example/image:1" }],
          ...pod,
        },
      },
    },
  };
}

const autoscaler = (name: string, namespaceOfIt: string, maxReplicas: number): Manifest => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name, namespace: namespaceOfIt },
  spec: { maxReplicas, scaleTargetRef: { apiVersion: "apps/v1", kind: "StatefulSet", name } },
});

const namesOf = (manifests: readonly Manifest[]) => manifests.map(({ metadata }) => metadata.name);

test("two clusters that share one etcd are separate", async () => {
  await clusters.apply("north", [namespace("only-in-the-north")]);
  expect(namesOf(await clusters.list("north", "namespaces"))).toContain("only-in-the-north");
  expect(namesOf(await clusters.list("south", "namespaces"))).not.toContain("only-in-the-north");
});

test("an unknown field is refused, and nothing of that object is kept", async () => {
  const applied = clusters.apply("north", [
    configuration("right", { data: { a: "1" } }),
    configuration("wrong", { dta: { a: "1" } }),
  ]);
  await expect(applied).rejects.toThrow(KubectlFailed);
  await expect(applied).rejects.toThrow(/\.dta/);
  expect(namesOf(await clusters.list("north", "configmaps", "default"))).not.toContain("wrong");
});

test("workloads become ready: replicas spread over nodes, init containers, and volumes made beforehand", async () => {
  const apart = {
    initContainers: [{ name: "first", image: "example/image:1" }],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "calls" } },
      },
    ],
  };
  const claim = {
    metadata: { name: "data" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "10Gi" } },
      storageClassName: "of-this-cluster",
    },
  };
  const manifests = [
    namespace("workloads"),
    workload("Deployment", { name: "calls", namespace: "workloads" }, apart, { replicas: 4 }),
    workload(
      "StatefulSet",
      { name: "database", namespace: "workloads" },
      {},
      {
        replicas: 3,
        serviceName: "database",
        volumeClaimTemplates: [claim],
      },
    ),
    autoscaler("database", "workloads", 4),
    workload("Job", { name: "once", namespace: "workloads" }),
  ];
  await clusters.makeVolumes("north", manifests);
  await clusters.apply("north", manifests);
  await clusters.untilReady("north", "workloads", 30_000);

  const pods = await clusters.list("north", "pods", "workloads");
  const nodesOfCalls = pods
    .filter(({ metadata }) => metadata.name.startsWith("calls-"))
    .map(({ spec }) => (spec as { readonly nodeName: string }).nodeName);
  expect(new Set(nodesOfCalls).size).toBe(4);
  const claims = await clusters.list("north", "persistentvolumeclaims", "workloads");
  expect(claims.map(({ status }) => (status as { readonly phase: string }).phase)).toEqual([
    "Bound",
    "Bound",
    "Bound",
  ]);
  // One more for the replica that the autoscaler may add.
  expect(await clusters.list("north", "persistentvolumes")).toHaveLength(4);
  await clusters.kubectl("north", [
    "--namespace=workloads",
    "wait",
    "--for=condition=Complete",
    "job/once",
    "--timeout=30s",
  ]);
});

test("a new version of a workload replaces the pods of the old one", async () => {
  const pair = (image: string) => [
    namespace("versions"),
    workload(
      "StatefulSet",
      { name: "pair", namespace: "versions" },
      { containers: [{ name: "main", image }] },
      { replicas: 2, serviceName: "pair" },
    ),
  ];
  const images = async () =>
    (await clusters.list("south", "pods", "versions")).map(
      ({ spec }) => (spec as { readonly containers: readonly { image: string }[] }).containers[0]?.image,
    );
  await clusters.apply("south", pair("example/image:1"));
  await clusters.untilReady("south", "versions", 30_000);
  await clusters.apply("south", pair("example/image:2"));
  await clusters.untilReady("south", "versions", 30_000);
  expect(await images()).toEqual(["example/image:2", "example/image:2"]);
});

test("a namespace under Pod Security restricted refuses a privileged pod, and it is said why", async () => {
  const restricted = namespace("hard", { "pod-security.kubernetes.io/enforce": "restricted" });
  const containers = [{ name: "main", image: "example/image:1", securityContext: { privileged: true } }];
  const pod: Manifest = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "privileged", namespace: "hard" },
    spec: { containers },
  };
  await expect(clusters.apply("north", [restricted, pod])).rejects.toThrow(
    /violates PodSecurity "restricted:latest": privileged/,
  );
  // Of a workload the cluster takes the manifest and refuses the pods: it never becomes ready.
  await clusters.apply("north", [workload("Deployment", { name: "bad", namespace: "hard" }, { containers })]);
  await expect(clusters.untilReady("north", "hard", 10_000)).rejects.toThrow(
    /Deployment bad: of 1 replicas 0 .*FailedCreate \(ReplicaSet\): .*violates PodSecurity/s,
  );
});

test("a claim without a volume is what a workload waits for, and it is said", async () => {
  const claim = {
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  const lonely = workload(
    "StatefulSet",
    { name: "lonely", namespace: "no-volumes" },
    {},
    {
      serviceName: "lonely",
      volumeClaimTemplates: [claim],
    },
  );
  await clusters.apply("south", [namespace("no-volumes"), lonely]);
  await expect(clusters.untilReady("south", "no-volumes", 10_000)).rejects.toThrow(
    /StatefulSet lonely: .*FailedScheduling \(Pod\): .*PersistentVolumeClaims/s,
  );
});

test.skipIf(process.platform !== "linux")(
  "clusters end with the process that started them, also when it is killed (on Linux)",
  async () => {
    // Of a process that is killed, the files stay; here they go with the test.
    using folder = temporaryFolder();
    const script = `import { TestClusters } from "${new URL("./clusters.ts", import.meta.url).href}";
      await TestClusters.start(["short"]);
      console.log("ready");
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: folder.path },
    });
    let parts: readonly ProcessName[];
    try {
      await once(starter.stdout, "data");
      parts = descendants(starter.pid ?? 0).flatMap((pid) => nameProcess(pid) ?? []);
    } finally {
      starter.kill("SIGKILL");
    }
    expect(parts).toHaveLength(5);
    await until("no part of it runs", () => !parts.some(isRunning));
  },
);
