import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import { capitalSite, type PostgresServer, type Stack, type Workload } from "#infra/blueprint/stack.ts";
import { backupsOf, siteBackups } from "#infra/local/backups.ts";
import { connectControl, type Control } from "#infra/local/control.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { LocalRunError } from "#infra/local/errors.ts";
import { instancesOf } from "#infra/local/instances.ts";
import { keptHubNodes } from "#infra/local/nation-parts.ts";
import { readRunFile, type RunFile } from "#infra/local/run-file.ts";
import { BackupFolder } from "#platform/backup/backup-folder.ts";
import { waitsForPerson } from "#platform/probes.ts";
import { CommandFailed, WrongUse } from "../failure.ts";
import { dataFolderOf } from "../login-file.ts";
import type { GlobalOptions } from "../options.ts";

const startWaitMs = 120_000;
const lookIntervalMs = 100;

/** A site of a local run, running or not, as far as what it keeps is concerned. */
export class LocalSite {
  readonly name: string;
  readonly stack: Stack;
  readonly folder: DataFolder;
  readonly run: RunFile | undefined;
  readonly #control: Control | undefined;

  private constructor(stack: Stack, folder: DataFolder, run: RunFile | undefined) {
    this.name = stack.site;
    this.stack = stack;
    this.folder = folder;
    this.run = run;
    this.#control = run?.sites[stack.site] === undefined ? undefined : connectControl(folder.root);
  }

  /** @throws CommandFailed `unknown-region` */
  static of(name: string, options: GlobalOptions): LocalSite {
    const folder = DataFolder.at(dataFolderOf(options));
    const run = runOf(folder);
    if (name === capitalSite) return new LocalSite(capitalStack(), folder, run);
    const region = loadRegions().find(({ slug }) => slug === name);
    if (region !== undefined) return new LocalSite(regionalStack(region), folder, run);
    throw new CommandFailed({
      code: "unknown-region",
      field: "site",
      value: name,
      message: `there is no site ${name}`,
      remedy: `give ${capitalSite}, or a region as \`qalqan status\` lists them`,
    });
  }

  /** The capital and every region that runs. @throws LocalRunError `not-running` */
  static all(options: GlobalOptions): LocalSite[] {
    const run = readRunFile(dataFolderOf(options));
    return Object.keys(run.sites).map((site) => LocalSite.of(site, options));
  }

  get isRunning(): boolean {
    return this.#control !== undefined;
  }

  get postgres(): { readonly workload: Workload; readonly server: PostgresServer } {
    for (const workload of this.stack.workloads) {
      if (workload.program.kind === "postgres") return { workload, server: workload.program.server };
    }
    throw new Error(`${this.name} has no PostgreSQL`);
  }

  /** PostgreSQL's data folder. */
  get database(): string {
    const { workload, server } = this.postgres;
    return this.folder.storage(this.name, workload.name, server.storage);
  }

  /** Everything else that the site keeps. */
  get otherStorage(): readonly string[] {
    const { workload: postgres } = this.postgres;
    return this.#instances
      .filter(({ workload }) => workload.name !== postgres.name)
      .flatMap(({ name, workload }) =>
        workload.storage.map((storage) => this.folder.storage(this.name, name, storage.name)),
      );
  }

  get password(): string {
    const { server } = this.postgres;
    return readFileSync(join(this.folder.secrets(this.name), server.passwordSecret), "utf8").trim();
  }

  /** `host:port` of PostgreSQL. @throws LocalRunError `not-running` */
  get databaseAddress(): { readonly host: string; readonly port: number } {
    const { sites } = readRunFile(this.folder.root);
    const [host = "", port = ""] = (sites[this.name]?.postgres?.["sql"] ?? "").split(":");
    return { host, port: Number(port) };
  }

  /** The folder that this site archives its WAL to; undefined: it does not. */
  get archive(): string | undefined {
    const all = backupsOf(this.folder);
    return all === undefined ? undefined : siteBackups(all, this.name);
  }

  /**
   * Backups of this site.
   *
   * @param given folder of an option; the one that the run archives to when absent
   * @throws WrongUse where nothing says which
   */
  backups(option: "to" | "from", given: string | undefined): SiteBackups {
    const path = given === undefined ? this.archive : siteBackups(resolve(given), this.name);
    if (path === undefined) {
      throw new WrongUse({
        field: option,
        value: "",
        message: "no folder of backups is named, and this nation is not archived",
        remedy: `give --${option} DIR, or start it with --backups DIR`,
      });
    }
    return { path, folder: new BackupFolder(path), isOwnArchive: path === this.archive };
  }

  /**
   * The processes of the run that need one of these workloads, and so on, and
   * theirs: in steps, each of which needs those before it alone.
   */
  async steps(workloads: readonly string[]): Promise<readonly (readonly string[])[]> {
    const services = (await this.#control?.status())?.services ?? [];
    const present = services.filter(({ region }) => region === this.name).map(({ service }) => service);
    const wanted = new Set<string>(workloads);
    for (let before = -1; before !== wanted.size;) {
      before = wanted.size;
      for (const { name, after } of this.stack.workloads)
        if (after.some((each) => wanted.has(each))) wanted.add(name);
    }
    const chosen = this.#instances.filter(
      ({ name, workload }) => wanted.has(workload.name) && present.includes(name),
    );
    const depths = chosen.map(({ workload }) => this.#depth(workload));
    return Array.from({ length: Math.max(0, ...depths) + 1 }, (_, depth) =>
      chosen.filter((__, index) => depths[index] === depth).map(({ name }) => name),
    );
  }

  async stop(names: readonly string[]): Promise<void> {
    await Promise.all(names.map(async (name) => this.#control?.stopService(this.name, name)));
  }

  /** Starts processes, and waits until all are ready. @throws CommandFailed */
  async start(names: readonly string[]): Promise<void> {
    await Promise.all(names.map(async (name) => this.#control?.startService(this.name, name)));
    await Promise.all(names.map((name) => this.#untilReady(name)));
  }

  async #untilReady(name: string): Promise<void> {
    const endMs = Date.now() + startWaitMs;
    let why = "";
    while (this.#control !== undefined && Date.now() < endMs) {
      const { services } = await this.#control.status();
      const found = services.find(({ region, service }) => region === this.name && service === name);
      if (found?.state === "ready") return;
      why = found?.why ?? "";
      if (why.startsWith(waitsForPerson)) {
        throw new CommandFailed({
          code: "waits-for-person",
          field: "service",
          value: `${this.name}/${name}`,
          message: `it runs, and ${why}`,
          remedy: "do what it names; `qalqan status` shows the alarm until then",
        });
      }
      await sleep(lookIntervalMs);
    }
    if (this.#control === undefined) return;
    throw new CommandFailed({
      code: "unavailable",
      field: "service",
      value: `${this.name}/${name}`,
      message: `it is not ready ${startWaitMs / 1_000} s after its start${why === "" ? "" : `: ${why}`}`,
      remedy: `see ${join(this.folder.logs, `${this.name}-${name}.log`)}; the same command may be repeated`,
    });
  }

  get #instances() {
    const nodes = keptHubNodes(this.folder) ?? 1;
    return this.stack.workloads.flatMap((workload) => instancesOf(workload, nodes));
  }

  #depth({ after }: Workload): number {
    const needed = this.stack.workloads.filter(({ name }) => after.includes(name));
    return Math.max(-1, ...needed.map((each) => this.#depth(each))) + 1;
  }
}

/** Where the backups of a site are. */
export interface SiteBackups {
  readonly path: string;
  readonly folder: BackupFolder;
  /** The running server archives its WAL here by itself. */
  readonly isOwnArchive: boolean;
}

function runOf(folder: DataFolder): RunFile | undefined {
  try {
    return readRunFile(folder.root);
  } catch (error) {
    if (error instanceof LocalRunError && error.code === "not-running") return undefined;
    throw error;
  }
}
