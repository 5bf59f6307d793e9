import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serviceUser } from "#infra/image/base.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { temporaryFolder, until } from "../infra/small-nation.ts";
import { registry, type NodeImage } from "./real-node/images.ts";
import { RealNode } from "./real-node/real-node.ts";
import { whyNoRealNode } from "./real-node/requirements.ts";
import {
  buildWitnessImage,
  restrictedNamespace,
  witnessDeployment,
  witnessPort,
  witnessStatefulSet,
} from "./real-node/witness.ts";

const why = whyNoRealNode();
const namespace = "witnesses";
const readyWaitMs = 60_000;
/** What a busy node may still have to do before it answers. */
const patience = { timeout: readyWaitMs, interval: 500 };

describe.skipIf(why !== undefined)(`a real node${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  const folder = temporaryFolder();
  let image: NodeImage;
  let node: RealNode;

  beforeAll(async () => {
    image = await buildWitnessImage(join(folder.path, "images"));
    node = await RealNode.start({ dataFolder: join(folder.path, "node"), images: [image] });
    const manifests = [
      ...witnessDeployment({ name: "web", namespace, image }),
      ...witnessDeployment({ name: "guarded", namespace, image }),
      ...witnessStatefulSet({ name: "store", namespace, image }),
      guard("guarded", "store"),
    ];
    await node.makeVolumes(manifests);
    await node.apply([restrictedNamespace(namespace), ...manifests]);
    await node.untilReady(namespace, readyWaitMs);
  });

  afterAll(async () => {
    await node.stop();
    folder[Symbol.dispose]();
  });

  /** What the witness behind a Service answers to somebody in the node's network. */
  async function ask(service: string, path: string, of = ""): Promise<unknown> {
    const host = `${service}.${namespace}.svc.cluster.local:${witnessPort}`;
    return fetchInside(`http://${host}${path}?of=${encodeURIComponent(of)}`);
  }

  async function fetchInside(url: string): Promise<unknown> {
    const program = `process.stdout.write(await (await fetch(${JSON.stringify(url)})).text())`;
    const command = [process.execPath, "--input-type=module", "--eval", program];
    return JSON.parse(await node.runInside(command)) as unknown;
  }

  const nameOf = (service: string) => `http://${service}:${witnessPort}/name`;

  test("offers all processors of the machine to its pods", async () => {
    const path = "{.items[*].status.allocatable.cpu}";
    const allocatable = await node.kubectl(["get", "nodes", `--output=jsonpath=${path}`]);
    expect(allocatable).toBe(String(availableParallelism()));
  });

  test("runs a restricted pod without any right", async () => {
    expect(await ask("web", "/rights")).toEqual({
      user: serviceUser,
      group: serviceUser,
      capabilities: "0000000000000000",
      seccomp: "2",
      noNewPrivileges: "1",
      writesRoot: "EROFS",
    });
  });

  test("refuses a pod that wants more than a restricted namespace gives", async () => {
    const securityContext = { privileged: true };
    const spec = { containers: [{ name: "bold", image: image.reference, securityContext }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "bold", namespace }, spec };
    await expect(node.apply([pod])).rejects.toThrow(/violates PodSecurity "restricted/);
  });

  test("refuses a manifest with a field that Kubernetes does not know", async () => {
    const odd = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "odd", namespace }, date: {} };
    await expect(node.apply([odd])).rejects.toThrow(/date: field not declared in schema/);
  });

  test("lets pods reach each other through Services and by names of single pods", async () => {
    await expect.poll(() => ask("web", "/ask", nameOf("store")), patience).toBe("store-0");
    await expect.poll(() => ask("store", "/ask", nameOf("web")), patience).toMatch(/^web-/);
    await expect.poll(() => ask("web", "/ask", nameOf("store-0.store-pods")), patience).toBe("store-0");
  });

  test("enforces network policies in both directions", async () => {
    await expect.poll(() => ask("store", "/ask", nameOf("guarded")), patience).toMatch(/^guarded-/);
    expect(await ask("web", "/ask", nameOf("guarded"))).toEqual({ error: "TimeoutError" });
    // Nobody may be asked by it, not even for the address.
    expect(await ask("guarded", "/ask", nameOf("store"))).toEqual({ error: "TimeoutError" });
  });

  test("keeps what a pod has stored when its process is killed", async () => {
    const pod = { namespace, name: "store-0" };
    await ask("store", "/note", "before");
    await node.killProcessOf(pod, "witness");
    const path = "jsonpath={.status.containerStatuses[*].restartCount}";
    const counted = ["get", "pod", `--namespace=${namespace}`, `--output=${path}`, pod.name];
    await until("it runs again", async () => (await node.kubectl(counted)) === "1", readyWaitMs);
    await node.untilReady(namespace, readyWaitMs);
    await ask("store", "/note", "after");
    expect(await ask("store", "/notes")).toEqual(["before", "after"]);
    expect(await node.logs(pod, "witness", "previous")).toContain("of=before");
    expect(await node.logs(pod, "witness")).toContain("of=after");
  });

  test("runs a command in a container, and forwards a port to it", async () => {
    const command = ["/usr/local/bin/node", "--print", "require('node:os').hostname()"];
    const exec = await node.kubectl(["exec", `--namespace=${namespace}`, "store-0", "--", ...command]);
    expect(exec).toBe("store-0\n");
    const forwarded = 18_080;
    const parameters = [
      "port-forward",
      `--namespace=${namespace}`,
      "pod/store-0",
      `${forwarded}:${witnessPort}`,
    ];
    const forward = node.startKubectl(parameters, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      if (forward.stdout !== null) await once(forward.stdout, "data");
      expect(await fetchInside(`http://127.0.0.1:${forwarded}/name`)).toBe("store-0");
    } finally {
      forward.kill("SIGKILL");
    }
  });

  test("names a pod that does not become ready, with its events and its log", async () => {
    const absent = { ...image, reference: `${registry}/absent@sha256:${"0".repeat(64)}` };
    const program = "throw new Error('out of order')";
    await node.apply([
      restrictedNamespace("troubled"),
      ...witnessDeployment({ name: "absent", namespace: "troubled", image: absent }),
      ...witnessDeployment({ name: "broken", namespace: "troubled", image, program }),
    ]);
    // A look may come just as the next instance begins, whose log is empty.
    const failure = async () => node.untilReady("troubled", 2_000).catch(String);
    const named = [
      /Deployment absent: of 1 replicas 1 are of this version, 0 are ready/,
      /events of pod absent-[^]*Failed to pull image/,
      /end of the log of pod broken-[^]*Error: out of order/,
    ];
    const all = new RegExp(named.map(({ source }) => `(?=[^]*${source})`).join(""));
    await expect.poll(failure, patience).toMatch(all);
  });

  test("leaves nothing behind when the process that started it is killed", async () => {
    const dataFolder = join(folder.path, "second");
    const module = join(import.meta.dirname, "real-node", "real-node.ts");
    const program = `
        import { RealNode } from ${JSON.stringify(module)};
        await RealNode.start({ dataFolder: ${JSON.stringify(dataFolder)}, images: [] });
        console.log("started");
      `;
    const starter = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const cgroupsBefore = cgroups();
    await once(starter.stdout, "data");
    expect(processesWith(dataFolder)).not.toBe(0);
    expect(cgroups().length).toBeGreaterThan(cgroupsBefore.length);
    starter.kill("SIGKILL");
    await until("all processes have ended", () => processesWith(dataFolder) === 0);
    await until("the cgroups are gone", () => cgroups().length === cgroupsBefore.length);
    expect(cgroups()).toEqual(cgroupsBefore);
    await node.untilReady(namespace, readyWaitMs);
  });
});

/** Lets in only one app, and nothing out. */
function guard(app: string, admitted: string): Manifest {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: app, namespace },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: admitted } } }], ports: [{ port: witnessPort }] },
      ],
    },
  };
}

function processesWith(parameter: string): number {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(parameter);
    } catch {
      return false;
    }
  }).length;
}

/** Of nodes; what is in a node's comes and goes with its pods. */
function cgroups(folder = "/sys/fs/cgroup"): readonly string[] {
  return foldersIn(folder).flatMap((name) => {
    const path = join(folder, name);
    return /^qalqan-node-[0-9a-f]+$/.test(name) ? [path] : cgroups(path);
  });
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    // It has gone meanwhile.
    return [];
  }
}
