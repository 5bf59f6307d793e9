import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { onPath } from "#infra/toolchain/locate.mjs";

const checkout = join(import.meta.dirname, "..", "..", "..");
const programs = join(checkout, "infra", "kubernetes");
const outputBytesMax = 64 * 1024 ** 2;

/** The engine's command line; undefined on a machine that has none. */
export const pulumi = onPath("pulumi");

/** A command of the engine failed; the message is everything that it printed. */
export class EngineFailed extends Error {
  override readonly name = "EngineFailed";
}

/** Pulumi, with the record of its stacks in a folder of the test. */
export class Engine {
  readonly #command: string;
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;

  /** @param environment what the programs are told, beside the test's own environment */
  constructor(command: string, folder: string, environment: Readonly<Record<string, string>>) {
    this.#command = command;
    this.#folder = folder;
    const state = join(folder, "state");
    mkdirSync(state, { recursive: true });
    this.#environment = {
      ...process.env,
      ...environment,
      // The engine runs programs by the first `node` on the path.
      PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: "of this test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    // The engine looks for the packages beside the program, and writes each stack's settings there:
    // so programs run from the test's own folder, from which the files of the checkout are reached.
    for (const name of ["package.json", "node_modules"])
      symlinkSync(join(checkout, name), join(folder, name));
  }

  /** The program of regions or of the capital, as it is in the project. */
  program(name: "region" | "capital"): Program {
    return this.#program(name, name, join(programs, name, "main.ts"));
  }

  /** Another program under the name of the one of regions: it rolls out the same stacks. */
  regionProgram(name: string, main: string): Program {
    return this.#program(name, "region", main);
  }

  #program(name: string, project: string, main: string): Program {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    symlinkSync(join(programs, project, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    symlinkSync(main, join(folder, "main.ts"));
    return new Program((words) => this.#run(folder, words));
  }

  #run(folder: string, words: readonly string[]): Promise<string> {
    const given = [...words, "--non-interactive", "--color=never"];
    const options = { cwd: folder, env: this.#environment, maxBuffer: outputBytesMax };
    return new Promise((resolve, reject) => {
      execFile(this.#command, given, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new EngineFailed(`pulumi ${words.join(" ")}: ${error.code}\n${stdout}\n${stderr}`));
      });
    });
  }
}

/** One of the Pulumi programs, with its stacks. */
export class Program {
  readonly #run: (words: readonly string[]) => Promise<string>;

  constructor(run: (words: readonly string[]) => Promise<string>) {
    this.#run = run;
  }

  async init(stack: string): Promise<void> {
    await this.#run(["stack", "init", stack, "--no-select"]);
  }

  /** Gives a stack a setting (`pulumi config set`). */
  async configure(stack: string, key: string, value: string): Promise<void> {
    await this.#run(["config", "set", "--stack", stack, key, value]);
  }

  /**
   * `pulumi up` by the project's policy pack: first the preview, and the update if that is in order.
   *
   * @throws EngineFailed
   */
  up(stack: string): Promise<string> {
    return this.#up(stack, ["--policy-pack", join(programs, "policy")]);
  }

  /**
   * `pulumi up` of what is there already.
   *
   * @throws EngineFailed when anything is changed
   */
  upWithoutChanges(stack: string): Promise<string> {
    return this.#up(stack, ["--skip-preview", "--expect-no-changes"]);
  }

  async outputs(stack: string): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.#run(["stack", "output", "--stack", stack, "--json"]);
    return JSON.parse(answer) as Readonly<Record<string, unknown>>;
  }

  #up(stack: string, words: readonly string[]): Promise<string> {
    return this.#run(["up", "--yes", "--suppress-progress", "--stack", stack, ...words]);
  }
}
