import { spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Json, Manifest } from "#infra/kubernetes/manifest.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { startCluster, startEtcd, writeKubeconfig, type Common } from "./clusters/cluster.ts";
import { Daemons } from "./clusters/daemon.ts";
import { explain, unreadyOf } from "./clusters/readiness.ts";
import { volumesOf } from "./clusters/volumes.ts";

/** Pretended nodes of each cluster, in as many zones. */
const nodesPerCluster = 4;
const readyWaitMs = 60_000;
const pollMs = 250;

/** `kubectl` ended with a failure; the message is what it and the API server said. */
export class KubectlFailed extends Error {
  override readonly name = "KubectlFailed";
}

/**
 * Clusters with real API servers, controllers and schedulers, and with nodes
 * that pretend to run pods (kwok). They share one etcd, each with a part of its
 * own. All of it ends with the test.
 */
export class TestClusters implements AsyncDisposable {
  /** One context for each cluster, named as it is; for programs that take a kubeconfig. */
  readonly kubeconfigFile: string;
  readonly #folder: string;
  readonly #daemons: Daemons;
  readonly #kubectl = findTool("kubectl");

  private constructor(folder: string, daemons: Daemons) {
    this.#folder = folder;
    this.#daemons = daemons;
    this.kubeconfigFile = join(folder, "kubeconfig");
  }

  /**
   * Starts clusters of these names and waits until their nodes are ready.
   *
   * @throws ToolMissing where a part of Kubernetes is not on this machine
   */
  static async start(names: readonly string[]): Promise<TestClusters> {
    const folder = mkdtempSync(join(tmpdir(), "qalqan-clusters-"));
    const clusters = new TestClusters(folder, new Daemons(folder));
    try {
      await clusters.#start(names);
      return clusters;
    } catch (error) {
      await clusters.stop();
      throw error;
    }
  }

  async #start(names: readonly string[]): Promise<void> {
    const ports = new Ports(DataFolder.create(this.#folder));
    await ports.prepare(["etcd", "etcd peers", ...names]);
    const common: Common = {
      ...writeSecrets(this.#folder),
      etcdAddress: await startEtcd(this.#daemons, this.#folder, {
        client: ports.port("etcd"),
        peer: ports.port("etcd peers"),
      }),
    };
    const running = await Promise.all(
      names.map((name) => startCluster(this.#daemons, this.#folder, name, ports.port(name), common)),
    );
    writeKubeconfig(this.kubeconfigFile, running, common.token);
    const nodes = Array.from({ length: nodesPerCluster }, (_, index) => node(index + 1));
    const waitForNodes = ["wait", "--for=condition=Ready", "nodes", "--all", `--timeout=${readyWaitMs}ms`];
    await Promise.all(
      names.map(async (name) => {
        await this.apply(name, nodes);
        await this.kubectl(name, waitForNodes);
      }),
    );
  }

  /**
   * Runs kubectl against one cluster.
   *
   * @returns what it wrote on standard output
   * @throws KubectlFailed
   */
  async kubectl(context: string, parameters: readonly string[], input = ""): Promise<string> {
    const own = [`--kubeconfig=${this.kubeconfigFile}`, `--context=${context}`];
    const cache = `--cache-dir=${join(this.#folder, "kubectl")}`;
    const child = spawn(this.#kubectl, [...own, cache, ...parameters], { stdio: "pipe" });
    const code = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    // It may end without reading all of it; its exit code says whether that was a failure.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
    if ((await code) === 0) return output;
    throw new KubectlFailed(`kubectl ${parameters.join(" ")} in ${context}: ${complaint.trim()}`);
  }

  /**
   * Applies manifests as the platform does: on the server, with unknown fields refused.
   *
   * @throws KubectlFailed with every refusal of the server
   */
  async apply(context: string, manifests: readonly Manifest[]): Promise<void> {
    if (manifests.length === 0) return;
    const how = ["--server-side", "--validate=strict", "--field-manager=qalqan"];
    // One document for each: of a List, kubectl itself would check the fields, with a check of its own.
    const documents = manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n");
    await this.kubectl(context, ["apply", ...how, "--filename=-"], documents);
  }

  /** Makes the volumes for all claims of the manifests, since nothing provisions them here. */
  async makeVolumes(context: string, manifests: readonly Manifest[]): Promise<void> {
    await this.apply(context, volumesOf(manifests));
  }

  /**
   * Waits until every Deployment and StatefulSet of a namespace has all its replicas, updated and ready.
   *
   * @throws Error naming those that are not after `timeoutMs`, with what the cluster says about them
   */
  async untilReady(context: string, namespace: string, timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const workloads = await this.list(context, "deployments,statefulsets", namespace);
      const unready = unreadyOf(workloads);
      if (workloads.length > 0 && unready.length === 0) return;
      if (Date.now() > end) {
        const events = await this.list(context, "events", namespace);
        const reasons = workloads.length === 0 ? "  it has no workload" : explain(unready, events);
        throw new Error(`${context}/${namespace} is not ready after ${timeoutMs} ms:\n${reasons}`);
      }
      await sleep(pollMs);
    }
  }

  /**
   * Objects of one or more kinds, as the API server has them.
   *
   * @param kinds as kubectl takes them, such as `pods` or `deployments,statefulsets`
   * @param namespace without it: those of all namespaces
   */
  async list(context: string, kinds: string, namespace?: string): Promise<readonly Manifest[]> {
    const where = namespace === undefined ? "--all-namespaces" : `--namespace=${namespace}`;
    const answer = await this.kubectl(context, ["get", kinds, where, "--output=json"]);
    return (JSON.parse(answer) as { readonly items: readonly Manifest[] }).items;
  }

  async stop(): Promise<void> {
    await this.#daemons.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Makes what clients and API servers know each other by. */
function writeSecrets(folder: string): Omit<Common, "etcdAddress"> {
  const serviceAccountKeyFile = join(folder, "service-accounts.key");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = String(privateKey.export({ type: "sec1", format: "pem" }));
  writeFileSync(serviceAccountKeyFile, key, { mode: 0o600 });
  const token = randomBytes(24).toString("hex");
  const tokenFile = join(folder, "tokens.csv");
  writeFileSync(tokenFile, `${token},admin,admin,system:masters\n`, { mode: 0o600 });
  return { serviceAccountKeyFile, token, tokenFile };
}

function node(number: number): Manifest {
  const name = `node-${number}`;
  const labels: Record<string, string> = {
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
    "topology.kubernetes.io/region": "test",
    "topology.kubernetes.io/zone": `zone-${number}`,
  };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: {} satisfies Json };
}
