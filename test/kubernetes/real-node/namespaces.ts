import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { descendants } from "#infra/local/own-process.ts";

const script = join(import.meta.dirname, "namespaces.sh");
const cgroupRoot = "/sys/fs/cgroup";
const endWaitMs = 30_000;

/** A command that failed inside; the message has the end of what it wrote. */
export class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly output: string;

  constructor(command: readonly string[], how: string, output: string) {
    super(`${command.join(" ").slice(0, 500)}: ${how}\n${output.slice(-4_000)}`);
    this.output = output;
  }
}

export interface RunOptions {
  /** For its standard input. */
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Kills it. */
  readonly signal?: AbortSignal;
}

/** Linux namespaces that end with the process that made them, and the cgroup of what runs in them. */
export class Namespaces {
  readonly #keeper: ChildProcess;
  readonly #firstPid: number;

  private constructor(keeper: ChildProcess, firstPid: number) {
    this.#keeper = keeper;
    this.#firstPid = firstPid;
  }

  /**
   * @param folder of the node; what it finds in `host/` becomes the host's own: resolv.conf, hosts, name, sysctl/*
   * @param cgroup name of the cgroup that is made in every hierarchy, and removed in the end
   */
  static async open(folder: string, address: string, cgroup: string): Promise<Namespaces> {
    // A session of its own: Ctrl-C in the terminal reaches the tests alone, whose end is the end of this.
    const keeper = spawn("bash", [script, folder, address, ...makeCgroups(cgroup)], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    const complaint = text(keeper.stderr);
    const [line] = (await Promise.race([once(keeper.stdout, "data"), once(keeper, "close")])) as [unknown];
    if (!String(line).startsWith("ready")) {
      throw new CommandFailed([script, folder], "cannot make namespaces", await complaint);
    }
    const firstPid = descendants(keeper.pid ?? 0).find((pid) => isFirstOfNamespace(pid));
    if (firstPid === undefined) throw new Error("the first process of the namespaces is not there");
    return new Namespaces(keeper, firstPid);
  }

  /** Starts a program inside; it is killed when the process returned is. */
  spawn(command: readonly string[], options: SpawnOptions = {}): ChildProcess {
    // Entering a mount namespace leaves one in its root.
    const folder = `--wdns=${String(options.cwd ?? process.cwd())}`;
    const namespaces = ["--net", "--mount", "--pid", "--uts"];
    const enter = ["nsenter", "--target", String(this.#firstPid), ...namespaces, folder, "--"];
    const [file = "", ...parameters] = [...enter, "setpriv", "--pdeathsig", "KILL", ...command];
    return spawn(file, parameters, options);
  }

  /**
   * Runs a program inside to its end.
   *
   * @returns what it wrote on standard output
   * @throws CommandFailed
   */
  async run(command: readonly string[], options: RunOptions = {}): Promise<string> {
    const { input = "", ...others } = options;
    const child = this.spawn(command, { ...others, stdio: ["pipe", "pipe", "pipe"] });
    if (child.stdin === null || child.stdout === null || child.stderr === null) throw new Error("no pipes");
    const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    // A program may end without reading all of it; its exit code says whether that was a failure.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const [[code, signal], output, complaint] = await Promise.all([
      closed,
      buffer(child.stdout),
      text(child.stderr),
    ]);
    if (code === 0) return output.toString();
    const how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
    throw new CommandFailed(command, how, `${output.toString().slice(-2_000)}${complaint}`);
  }

  /** Ends every process inside and waits until nothing is left, the cgroups included. */
  async close(): Promise<void> {
    if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) return;
    const closed = once(this.#keeper, "close", { signal: AbortSignal.timeout(endWaitMs) });
    this.#keeper.stdin?.end();
    await closed;
  }
}

/** With cgroup v1 one in every hierarchy; with v2 one, with every controller that there is. */
function makeCgroups(name: string): readonly string[] {
  const isUnified = existsSync(join(cgroupRoot, "cgroup.controllers"));
  const parents = isUnified
    ? [cgroupRoot]
    : readdirSync(cgroupRoot)
        .map((hierarchy) => join(cgroupRoot, hierarchy))
        .filter((folder) => existsSync(join(folder, "cgroup.procs")));
  return parents.map((parent) => {
    const folder = join(parent, name);
    if (isUnified) delegate(parent);
    mkdirSync(folder, { recursive: true });
    if (isUnified) delegate(folder);
    // cpuset(7): a new cpuset of v1 has no processors and no memory until it is given some.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (!isUnified && existsSync(join(folder, file))) {
        writeFileSync(join(folder, file), readFileSync(join(parent, file)));
      }
    }
    return folder;
  });
}

function delegate(folder: string): void {
  for (const controller of readFileSync(join(folder, "cgroup.controllers"), "utf8").trim().split(" ")) {
    writeFileSync(join(folder, "cgroup.subtree_control"), `+${controller}`);
  }
}

/** proc(5), NSpid: the ids of a process in every namespace from ours inwards. */
function isFirstOfNamespace(pid: number): boolean {
  return /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
