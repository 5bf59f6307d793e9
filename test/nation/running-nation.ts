import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const cliMain = path.join(checkout, "services/cli/main.ts");
const startWaitMs = 240_000;
const commandWaitMs = 240_000;

/** What a command of `qalqan` gave back. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A nation as `npm start` runs it: real processes under one data folder, asked
 * only by the command line, as a person would.
 */
export class RunningNation implements AsyncDisposable {
  readonly dataFolder: string;
  readonly startedInMs: number;
  #runner: ChildProcess;

  private constructor(dataFolder: string, runner: ChildProcess, startedInMs: number) {
    this.dataFolder = dataFolder;
    this.#runner = runner;
    this.startedInMs = startedInMs;
  }

  /** Starts a nation in a data folder of its own, or goes on in `dataFolder`. */
  static async start(
    options: { regions?: string; dataFolder?: string; traffic?: string; hub?: string; backups?: string } = {},
  ): Promise<RunningNation> {
    const dataFolder = options.dataFolder ?? mkdtempSync(path.join(tmpdir(), "qalqan-"));
    const began = performance.now();
    const runner = spawn(
      process.execPath,
      [
        cliMain,
        "start",
        ...["--data", dataFolder],
        ...["--regions", options.regions ?? "astana,almaty,mangystau"],
        ...["--traffic", options.traffic ?? "off"],
        ...(options.hub === undefined ? [] : ["--hub", options.hub]),
        ...(options.backups === undefined ? [] : ["--backups", options.backups]),
      ],
      { cwd: checkout, stdio: ["ignore", "pipe", "pipe"] },
    );
    await untilReady(runner);
    return new RunningNation(dataFolder, runner, performance.now() - began);
  }

  /** Runs one command and waits for its end. */
  async run(...words: string[]): Promise<CommandResult> {
    return this.begin(...words).ended;
  }

  /** Runs a command that goes on until it is interrupted, as by Ctrl-C. */
  begin(...words: string[]): { ended: Promise<CommandResult>; interrupt: () => void } {
    const child = spawn(process.execPath, [cliMain, ...words], {
      cwd: checkout,
      env: { ...process.env, QALQAN_DATA: this.dataFolder },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: commandWaitMs,
    });
    return { ended: this.#resultOf(child), interrupt: () => child.kill("SIGINT") };
  }

  async #resultOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<CommandResult> {
    const [stdout, stderr, [code]] = await Promise.all([
      textOf(child.stdout),
      textOf(child.stderr),
      once(child, "close") as Promise<[number | null]>,
    ]);
    return { code: code ?? -1, stdout, stderr };
  }

  /** Runs a command with `--json`, which must succeed, and reads its document. */
  async json<Document>(...words: string[]): Promise<Document> {
    const result = await this.run(...words, "--json");
    if (result.code !== 0) {
      throw new Error(
        `qalqan ${words.join(" ")} ended with ${result.code}\n${result.stdout}\n${result.stderr}`,
      );
    }
    return JSON.parse(result.stdout) as Document;
  }

  /** Ends the run as Ctrl-C does. */
  async stop(): Promise<number> {
    if (this.#runner.exitCode !== null) return this.#runner.exitCode;
    const ended = once(this.#runner, "close") as Promise<[number | null]>;
    this.#runner.kill("SIGINT");
    const [code] = await ended;
    return code ?? -1;
  }

  /** Stops, and starts again on the same data. */
  async restart(regions?: string): Promise<RunningNation> {
    await this.stop();
    return RunningNation.start({
      dataFolder: this.dataFolder,
      ...(regions === undefined ? {} : { regions }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.dataFolder, { recursive: true, force: true });
  }
}

/** Waits for the line that `start` prints when every service answers. */
async function untilReady(runner: ChildProcess): Promise<void> {
  let printed = "";
  const ready = new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk.toString();
      if (/ready in \d/.test(printed)) resolve();
    };
    runner.stdout?.on("data", read);
    runner.stderr?.on("data", read);
    runner.once("close", (code) => reject(new Error(`start ended with ${code}\n${printed}`)));
  });
  const over = new AbortController();
  const tooLate = sleep(startWaitMs, undefined, { ref: false, signal: over.signal }).then(() => {
    runner.kill("SIGINT");
    throw new Error(`not ready after ${startWaitMs} ms\n${printed}`);
  });
  tooLate.catch(() => undefined);
  await Promise.race([ready, tooLate]);
  // A nation that became ready is not stopped after all.
  over.abort();
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** The documents of `--json`, as the README promises them. */
export interface DirectiveDocument {
  readonly id: string;
  readonly revision: number;
  readonly nationalRevision: number | null;
  readonly scope: string;
  readonly state: string;
  readonly missing: readonly string[];
  readonly target: string;
  readonly action: string;
  readonly batch: string | null;
  readonly receipts: readonly {
    readonly region: string;
    readonly state: string;
    readonly enforcedAt: string | number | null;
    readonly milliseconds: number | null;
  }[];
}

export interface ScreenDocument {
  readonly verdict: string;
  readonly reason: string;
  readonly directive: string | null;
  readonly decision: string;
  readonly mode: string;
  readonly enforced: boolean;
  readonly withholdCallerId: boolean;
}

export interface StatusDocument {
  readonly regions: readonly {
    readonly region: string;
    readonly state: string;
    readonly sequence: number;
    readonly digest: string;
    readonly stalenessMs: number | null;
    readonly epoch: number;
  }[];
  readonly services: readonly { readonly region: string; readonly service: string; readonly state: string }[];
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly field: string;
    readonly value: string;
    readonly message: string;
    readonly remedy: string;
  };
}

export interface StatisticsDocument {
  readonly calls: number;
  readonly intercepted: number;
  readonly forged: number;
  readonly byVerdict: Readonly<Record<string, number>>;
  readonly byRegion: Readonly<
    Record<string, { readonly calls: number; readonly intercepted: number; readonly forged: number }>
  >;
  readonly questions: number;
  readonly shadowStopped: number;
  readonly fallbackShare: number;
}
