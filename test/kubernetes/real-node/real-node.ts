import type { ChildProcess, SpawnOptions } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { unreadyOf } from "../clusters/readiness.ts";
import { NodeFolder, nodeAddress, nodeName, writeConfiguration } from "./configuration.ts";
import { killFirstProcess } from "./container-process.ts";
import { firstDaemons, laterDaemons } from "./daemons.ts";
import { systemManifests, systemNamespace } from "./dns.ts";
import { buildSystemImages, type NodeImage } from "./images.ts";
import { NodeProcesses } from "./processes.ts";
import { containerId, unreadyPods } from "./pods.ts";
import { Namespaces, type RunOptions } from "./namespaces.ts";
import { PolicyEnforcer } from "./policy-enforcer.ts";
import { localVolumes } from "./volumes.ts";

const startWaitMs = 120_000;
const readinessPollMs = 500;
const logLines = 30;

export interface RealNodeOptions {
  /** An empty folder for all that the node keeps: images, volumes, and the logs of its daemons in `logs`. */
  readonly dataFolder: string;
  /** What its pods may run: there is no registry. */
  readonly images: readonly NodeImage[];
}

export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * A Kubernetes of one real node: kubelet and containerd run real pods, which
 * reach each other through real Services and their names. All of it is in
 * namespaces of its own: nothing is seen outside, and nothing outside is
 * reached. It ends with the process that started it, however that ends.
 */
export class RealNode implements AsyncDisposable {
  readonly #folder: NodeFolder;
  readonly #namespaces: Namespaces;
  readonly #kubectl = findTool("kubectl");
  readonly #processes: NodeProcesses;
  #policies: PolicyEnforcer | undefined;

  private constructor(folder: NodeFolder, namespaces: Namespaces) {
    this.#folder = folder;
    this.#namespaces = namespaces;
    this.#processes = new NodeProcesses(folder, namespaces);
  }

  /**
   * Resolves when pods can run, and names of Services are answered.
   *
   * @throws Error that names what did not come up, with the end of its log
   */
  static async start({ dataFolder, images }: RealNodeOptions): Promise<RealNode> {
    const folder = new NodeFolder(dataFolder, `qalqan-node-${randomBytes(4).toString("hex")}`);
    const { pause, coredns } = await buildSystemImages(folder.in("images"));
    await writeConfiguration(folder, pause.reference);
    const node = new RealNode(folder, await Namespaces.open(folder.path, nodeAddress, folder.cgroup));
    try {
      await node.#start([pause, coredns, ...images], systemManifests(coredns.reference));
      return node;
    } catch (error) {
      await node.stop();
      throw error;
    }
  }

  /**
   * Runs kubectl as the cluster's administrator.
   *
   * @returns what it wrote on standard output
   * @throws CommandFailed
   */
  async kubectl(parameters: readonly string[], input = ""): Promise<string> {
    return this.#namespaces.run(this.#kubectlCommand(parameters), {
      input,
      env: this.#processes.environment,
    });
  }

  /** Like `kubectl`, for what goes on until it is killed, such as `port-forward`. */
  startKubectl(parameters: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.#namespaces.spawn(this.#kubectlCommand(parameters), {
      ...options,
      env: this.#processes.environment,
    });
  }

  /** Applies on the server's side; a field that Kubernetes does not know is an error. @throws CommandFailed */
  async apply(manifests: readonly Manifest[]): Promise<void> {
    if (manifests.length === 0) return;
    // One document for each: of a List, kubectl itself would check the fields, with a check of its own.
    const documents = manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n");
    await this.kubectl(["apply", "--server-side", "--validate=strict", "--filename=-"], documents);
  }

  /** Makes a volume for every claim of the manifests, on folders of this machine. */
  async makeVolumes(manifests: readonly Manifest[]): Promise<void> {
    const volumes = localVolumes(manifests, this.#folder.in("volumes"));
    for (const { folder } of volumes) mkdirSync(folder, { recursive: true });
    await this.apply(volumes.map(({ manifest }) => manifest));
  }

  /**
   * Waits until all workloads of a namespace are rolled out and all its pods ready.
   *
   * @throws Error that names what is not ready, with the events and the end of the log of each pod;
   *   at once when the node itself is in trouble
   */
  async untilReady(namespace: string, waitMs: number): Promise<void> {
    const end = Date.now() + waitMs;
    for (;;) {
      const { workloads, pods } = await this.#unready(namespace);
      const { troubles } = this.#processes;
      if (workloads.length === 0 && pods.length === 0 && troubles.length === 0) return;
      if (Date.now() >= end || troubles.length > 0) {
        const head = `${namespace} is not ready after ${waitMs} ms:`;
        const told = await this.#tell(namespace, pods);
        throw new Error([head, ...workloads, ...troubles, ...told].join("\n"));
      }
      await sleep(readinessPollMs);
    }
  }

  /** Starts a program in the node's network, where Services have addresses and names; killing it ends it there. */
  spawnInside(command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.#namespaces.spawn(command, options);
  }

  /** Like `spawnInside`, to its end. @returns what it wrote on standard output @throws CommandFailed */
  async runInside(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return this.#namespaces.run(command, options);
  }

  /** What a container has written, of its present run or of the one before. @throws CommandFailed */
  async logs({ namespace, name }: PodName, container: string, run: "present" | "previous" = "present") {
    return this.kubectl([
      "logs",
      `--namespace=${namespace}`,
      `--container=${container}`,
      `--previous=${run === "previous"}`,
      name,
    ]);
  }

  /** Kills the first process of a container with SIGKILL, as the kernel does when memory is short. */
  async killProcessOf({ namespace, name }: PodName, container: string): Promise<void> {
    const pod = await this.kubectl(["get", "pod", `--namespace=${namespace}`, "--output=json", name]);
    killFirstProcess(containerId(JSON.parse(pod), container));
  }

  /** Ends it at once, like a power cut; what is in the data folder stays. */
  async stop(): Promise<void> {
    this.#processes.expectEnd();
    await this.#policies?.stop();
    await this.#namespaces.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(images: readonly NodeImage[], manifests: readonly Manifest[]): Promise<void> {
    const end = Date.now() + startWaitMs;
    for (const daemon of firstDaemons(this.#folder)) this.#processes.start(daemon);
    await Promise.all([
      this.#processes.import(images, end),
      this.#processes.until("the API server is ready", end, () => this.kubectl(["get", "--raw", "/readyz"])),
    ]);
    for (const daemon of laterDaemons(this.#folder)) this.#processes.start(daemon);
    this.#policies = this.#enforcePolicies();
    await this.apply(manifests);
    await this.#processes.until("the node is ready", end, () =>
      this.kubectl(["wait", "--for=condition=Ready", "--timeout=5s", `node/${nodeName}`]),
    );
    await this.untilReady(systemNamespace, end - Date.now());
  }

  #enforcePolicies(): PolicyEnforcer {
    const nft = findTool("nft");
    const socket = this.#folder.in("api-server", "proxy.socket");
    this.#processes.start({
      name: "kubectl-proxy",
      command: this.#kubectlCommand(["proxy", `--unix-socket=${socket}`]),
    });
    return new PolicyEnforcer(
      socket,
      async (rules) => {
        await this.#namespaces.run([nft, "--file", "-"], { input: rules });
      },
      (error) => {
        this.#processes.report(`network policies are not enforced: ${String(error)}`);
      },
    );
  }

  #kubectlCommand(parameters: readonly string[]): readonly string[] {
    return [this.#kubectl, `--cache-dir=${this.#folder.in("kubectl")}`, ...parameters];
  }

  /** Workloads that are not ready, in words, and names of pods that are not. */
  async #unready(namespace: string) {
    const list = ["get", "deployments,statefulsets,pods", `--namespace=${namespace}`, "--output=json"];
    const { items } = JSON.parse(await this.kubectl(list)) as { readonly items: readonly Manifest[] };
    const workloads = items.filter(({ kind }) => kind !== "Pod");
    const pods = items.filter(({ kind }) => kind === "Pod");
    const nothing = workloads.length === 0 ? ["no workload is there"] : [];
    return {
      workloads: [...nothing, ...unreadyOf(workloads).map(({ why }) => why)],
      pods: unreadyPods(pods),
    };
  }

  /** What the cluster says of pods, and they themselves. */
  async #tell(namespace: string, pods: readonly string[]): Promise<readonly string[]> {
    const told = async (parameters: readonly string[]) =>
      this.kubectl([...parameters, `--namespace=${namespace}`]).catch((error: unknown) => String(error));
    const parts = [await told(["events", "--types=Warning"])];
    for (const pod of pods) {
      const events = await told(["events", `--for=pod/${pod}`]);
      const log = await told(["logs", "--all-containers", "--prefix", `--tail=${logLines}`, pod]);
      parts.push(`events of pod ${pod}:`, events, `end of the log of pod ${pod}:`, log);
    }
    return parts;
  }
}
