import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RealNode } from "../real-node/real-node.ts";
import type { ClientFiles } from "./deployment.ts";

/** A call, and what must be said about it. */
export interface Question {
  readonly from: string;
  readonly to: string;
  readonly trunk: string;
  readonly verdict: string;
}

export interface SwitchPlan {
  /** `host:port` of screening. */
  readonly address: string;
  /** Name that the certificate of screening must have. */
  readonly serverName: string;
  readonly client: ClientFiles;
  /** Asked in turn. */
  readonly questions: readonly Question[];
}

/** Counts of questions; one that is asked again is counted once. */
export interface SwitchReport {
  readonly asked: number;
  readonly answered: number;
  /** The call went on without an answer. */
  readonly unanswered: number;
  readonly slowestMs: number;
  /** Attempts that found no answer, so that another connection was asked, by the code of the failure. */
  readonly askedAgain: Readonly<Record<string, number>>;
  /** Answers that let the call go on since the replica had no processor to think with. */
  readonly overloaded: number;
  /** The first of the other answers that are not right, JSON. */
  readonly wrong: readonly string[];
  /** Answers by the name of the replica. */
  readonly byReplica: Readonly<Record<string, number>>;
}

/** A switch in the node's network that asks all the time. */
export class Switch implements Disposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<[number | null, string | null]>;
  #report: SwitchReport | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, "close") as Promise<[number | null, string | null]>;
  }

  /** Resolves when it is answered. */
  static async start(node: RealNode, plan: SwitchPlan): Promise<Switch> {
    const program = fileURLToPath(new URL("./switch-program.ts", import.meta.url));
    const command = [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      program,
      JSON.stringify(plan),
    ];
    const child = node.spawnInside(command, { stdio: ["pipe", "pipe", "inherit"] });
    if (child.stdout === null) throw new Error("no pipe");
    const started = new Switch(child);
    const lines = createInterface(child.stdout);
    lines.on("line", (line) => (started.#report = JSON.parse(line) as SwitchReport));
    while (started.#report === undefined || started.#report.answered === 0) {
      await Promise.race([once(lines, "line"), started.#ended]);
      if (child.exitCode !== null) throw new Error(`the switch ended with ${child.exitCode}`);
    }
    return started;
  }

  /** What happened until a moment ago. */
  get report(): SwitchReport {
    if (this.#report === undefined) throw new Error("the switch has said nothing yet");
    return this.#report;
  }

  /** Waits until all that was asked is settled. */
  async stop(): Promise<SwitchReport> {
    this.#child.stdin?.end();
    const [code, signal] = await this.#ended;
    if (code !== 0) throw new Error(`the switch ended with ${signal ?? code}`);
    return this.report;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
