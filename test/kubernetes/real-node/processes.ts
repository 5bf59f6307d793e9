import { closeSync, openSync, readFileSync } from "node:fs";
import { delimiter } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findTool } from "#infra/toolchain/tools.ts";
import type { NodeFolder } from "./configuration.ts";
import type { Daemon } from "./daemons.ts";
import type { NodeImage } from "./images.ts";
import { CommandFailed, type Namespaces } from "./namespaces.ts";

const againMs = 200;
const logBytesMax = 3_000;

/** The daemons of a node, and what goes wrong with them. */
export class NodeProcesses {
  readonly #folder: NodeFolder;
  readonly #namespaces: Namespaces;
  readonly #troubles: string[] = [];
  #isStopping = false;

  constructor(folder: NodeFolder, namespaces: Namespaces) {
    this.#folder = folder;
    this.#namespaces = namespaces;
  }

  /** What has gone wrong with the node itself, such as a daemon that has ended, in words. */
  get troubles(): readonly string[] {
    return this.#troubles;
  }

  /** For everything that runs inside: asks the API server as the cluster's administrator. */
  get environment(): NodeJS.ProcessEnv {
    return {
      HOME: this.#folder.path,
      // Daemons call nft, runc and mount, which are the administrator's.
      PATH: [process.env["PATH"] ?? "", "/usr/sbin", "/sbin"].join(delimiter),
      KUBECONFIG: this.#folder.kubeconfig("admin"),
    };
  }

  start({ name, command }: Daemon): void {
    const log = openSync(this.#folder.log(name), "a", 0o600);
    const child = this.#namespaces.spawn(command, {
      cwd: this.#folder.path,
      env: this.environment,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.once("exit", (code, signal) => {
      if (this.#isStopping) return;
      const lastWords = readFileSync(this.#folder.log(name), "utf8").slice(-logBytesMax);
      this.report(`${name} ended (${signal ?? `exit code ${code}`})\n${lastWords}`);
    });
  }

  report(trouble: string): void {
    this.#troubles.push(trouble);
  }

  /** From now on it is no trouble that they end. */
  expectEnd(): void {
    this.#isStopping = true;
  }

  /**
   * Tries again and again while a command fails.
   *
   * @param end when to give up, in milliseconds of the clock
   * @throws Error when a daemon has ended, or when the time is over
   */
  async until(what: string, end: number, attempt: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (!(error instanceof CommandFailed)) throw error;
        const troubles = this.#troubles.join("\n");
        if (troubles !== "") throw new Error(`${what}: never, since ${troubles}`, { cause: error });
        if (Date.now() >= end) throw new Error(`not in time: ${what}: ${error.message}`, { cause: error });
      }
      await sleep(againMs);
    }
  }

  /** Gives images to containerd, under the names by which pods ask for them. */
  async import(images: readonly NodeImage[], end: number): Promise<void> {
    const ctr = [findTool("ctr"), "--address", this.#folder.containerdSocket, "--namespace=k8s.io"];
    await this.until("containerd answers", end, () => this.#namespaces.run([...ctr, "version"]));
    for (const { file, reference } of images) {
      // Named after its digest, whatever name is in the archive.
      const named = ["--digests", `--base-name=${reference.slice(0, reference.indexOf("@"))}`];
      await this.#namespaces.run([...ctr, "images", "import", ...named, file]);
    }
  }
}
