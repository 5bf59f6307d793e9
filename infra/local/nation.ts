import { readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { loadRegions, type Region } from "../blueprint/regions.ts";
import type { WorkloadName } from "../blueprint/stack.ts";
import { keepBackups } from "./backups.ts";
import { DataFolder } from "./data-folder.ts";
import { translated, unknownRegion } from "./errors.ts";
import { controlSocketPath, serveControl, type Control, type NationStatus } from "./control-server.ts";
import { checkoutFolder } from "./launch.ts";
import { stopLeftovers } from "./leftovers.ts";
import { boundLogs } from "./logs.ts";
import { NationParts } from "./nation-parts.ts";
import type { HubNode } from "./hub-lines.ts";
import { addressIn, type RunFile } from "./run-file.ts";
import { Limit } from "./limit.ts";
import type { Slowness } from "./passage.ts";
import { impossibleFaults } from "./site-faults.ts";
import { SiteRun } from "./site-run.ts";
import type { ProcessStatus } from "./supervised-process.ts";

/** A process has changed its state; `ready` of `of` are ready now. */
export interface Progress extends ProcessStatus {
  readonly ready: number;
  readonly of: number;
}

export interface NationOptions {
  /** Holds all state; made when missing. */
  readonly dataFolder: string;
  /** Slugs of the regions to run beside the capital. */
  readonly regions: readonly string[];
  /** Workloads to run; all when absent. */
  readonly only?: readonly WorkloadName[];
  /** Folder to archive the databases to from now on, absolute, or `off`; as before when absent. */
  readonly backups?: string;
  /** Nodes of the hub: an odd number; those that the data folder has, or one, when absent. */
  readonly hubNodes?: number;
  /** Lets the clocks of sites become wrong without a restart of what sees them. */
  readonly preparesClocks?: boolean;
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** Takes one line for people at a time. */
  readonly log?: (line: string) => void;
  readonly onProgress?: (progress: Progress) => void;
}

/** A nation that runs in this process's care. */
export interface Nation extends Control {
  readonly run: RunFile;
  /** Resolves when everything is ready; rejects with a LocalRunError when something does not start. */
  readonly ready: Promise<void>;
  /** Resolves when everything has been stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  /** Stops everything in reverse order; resolves when all has ended. Repeating it is harmless. */
  stop(): Promise<void>;
}

/** Starts at once beyond this only make each other slower. */
const startsAtOnce = Math.max(4, 2 * availableParallelism());

/**
 * Starts the capital and regions as processes of this machine. Resolves as soon
 * as they are being started; `ready` says when they are there.
 *
 * @throws LocalRunError `already-running`, `port-taken`, `invalid-ports`, `disk-full`,
 * `data-folder`, `unknown-region`, `wrong-state` (another hub); ToolMissing; RegionInvalid
 */
export async function startNation(options: NationOptions): Promise<Nation> {
  const regions = chooseRegions(options.regions);
  const folder = DataFolder.create(options.dataFolder);
  await using opened = new AsyncDisposableStack();
  try {
    const lock = folder.lock();
    opened.defer(() => lock.release());
    folder.requireFreeSpace();
    const leftovers = await stopLeftovers(folder);
    if (leftovers.length > 0) options.log?.(`stopped what an earlier run has left: ${leftovers.join(", ")}`);
    if (options.backups !== undefined) keepBackups(folder, options.backups);
    const settings = { release: releaseOf(), logLevel: options.logLevel ?? "info" };
    const parts = await NationParts.prepare(folder, settings, options.hubNodes);
    const logs = boundLogs(folder.logs);
    opened.defer(() => logs.stop());
    const nation = new RunningNation(parts, options);
    opened.defer(() => nation.stopProcesses());
    await nation.open(regions, opened);
    nation.keep(opened.move());
    return nation;
  } catch (error) {
    throw translated(error, folder.root);
  }
}

class RunningNation implements Nation {
  readonly #parts: NationParts;
  readonly #options: NationOptions;
  readonly #starts = new Limit(startsAtOnce);
  readonly #sites = new Map<string, SiteRun>();
  readonly #stopped = Promise.withResolvers<void>();
  #run: RunFile | undefined;
  #ready: Promise<void> = Promise.resolve();
  #state: NationStatus["state"] = "starting";
  #opened: AsyncDisposableStack | undefined;
  #stop: Promise<void> | undefined;

  constructor(parts: NationParts, options: NationOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get run(): RunFile {
    if (this.#run === undefined) throw new Error("the run was not opened");
    return this.#run;
  }
  get ready(): Promise<void> {
    return this.#ready;
  }
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Starts capital and regions, and lets others reach the run. */
  async open(regions: readonly Region[], opened: AsyncDisposableStack): Promise<void> {
    const contexts = await this.#parts.contexts(regions, true);
    const path = controlSocketPath(this.#parts.folder.root);
    const control = await serveControl(path, this.#overSocket());
    opened.defer(() => control.close());
    this.#run = this.#parts.writeRunFile(regions, path);
    opened.defer(() => rmSync(this.#parts.folder.runFile, { force: true }));
    this.#ready = this.#startSites(contexts).then(() => {
      if (this.#state === "starting") this.#state = "running";
    });
    // Whoever awaits it gets the failure; nobody has to.
    this.#ready.catch(() => undefined);
  }

  /** From here on the nation owns what was opened. */
  keep(opened: AsyncDisposableStack): void {
    this.#opened = opened;
  }

  async addRegions(slugs: readonly string[]): Promise<void> {
    const regions = chooseRegions(slugs).filter(({ slug }) => !this.#sites.has(slug));
    if (regions.length === 0 || this.#state === "stopping") return;
    const contexts = await this.#parts.contexts(regions, false);
    for (const node of this.#sites.get("capital")?.processesOf("nats") ?? [])
      if (node.status.pid !== null) node.signal("SIGHUP");
    const running = [...this.#sites.keys()];
    this.#run = this.#parts.writeRunFile(
      loadRegions().filter(({ slug }) => running.includes(slug) || slugs.includes(slug)),
      this.run.control,
    );
    await this.#startSites(contexts);
  }

  async status(): Promise<NationStatus> {
    const sites = [...this.#sites.values()];
    return {
      state: this.#state,
      services: sites.flatMap((site) => site.statuses),
      lines: sites.flatMap(({ stack, line }) =>
        line === undefined ? [] : [{ region: stack.site, ...line.status }],
      ),
      faults: sites.flatMap(({ faults }) => faults.faults),
      copies: sites.flatMap(({ faults }) => faults.copies),
      impossible: impossibleFaults(),
    };
  }

  async revoke(region: string): Promise<void> {
    await this.#parts.changeKey(region, "revoked", this.#hubNodes());
  }
  async rotate(region: string): Promise<void> {
    await this.#parts.changeKey(region, "renewed", this.#hubNodes());
    const server = this.#sites.get(region)?.process("nats");
    if (server === undefined || server.status.pid === null) return;
    // It reads the key of its line at its start alone.
    await server.stop();
    server.start();
    await server.ready;
  }

  #hubNodes(): readonly HubNode[] {
    return (this.#sites.get("capital")?.processesOf("nats") ?? [])
      .filter(({ status }) => status.pid !== null)
      .map(({ status }) => ({
        name: status.service,
        address: addressIn(this.run, "capital", status.service, "client"),
      }));
  }

  async cut(region: string): Promise<void> {
    await this.#region(region).line?.cut();
  }
  async heal(region: string): Promise<void> {
    await this.#region(region).line?.heal();
  }
  async slow(region: string, slowness: Slowness): Promise<void> {
    await this.#region(region).line?.slow(slowness);
  }
  async halfOpen(region: string): Promise<void> {
    await this.#region(region).line?.halfOpen();
  }
  async fill(site: string, service: string): Promise<void> {
    await this.#site(site).faults.fill(service);
  }
  async free(site: string, service: string): Promise<void> {
    await this.#site(site).faults.free(service);
  }
  async snapshot(site: string, services: readonly string[]): Promise<void> {
    await this.#site(site).faults.snapshot(services);
  }
  async restore(site: string, services: readonly string[]): Promise<void> {
    await this.#site(site).faults.restore(services);
  }
  async skew(site: string, aheadSeconds: number): Promise<void> {
    await this.#site(site).faults.skew(aheadSeconds);
  }
  async kill(site: string, service: string): Promise<void> {
    this.#site(site).process(service).kill();
  }
  async pause(site: string, service: string): Promise<void> {
    this.#site(site).process(service).pause();
  }
  async resume(site: string, service: string): Promise<void> {
    this.#site(site).process(service).resume();
  }
  async stopService(site: string, service: string): Promise<void> {
    await this.#site(site).process(service).stop();
  }
  async startService(site: string, service: string): Promise<void> {
    this.#site(site).process(service).start();
  }

  stop(): Promise<void> {
    this.#stop ??= (async () => {
      this.#state = "stopping";
      await this.#opened?.disposeAsync();
      this.#stopped.resolve();
    })();
    return this.#stop;
  }

  async stopProcesses(): Promise<void> {
    const sites = [...this.#sites.values()];
    await Promise.all(sites.filter(({ line }) => line !== undefined).map((site) => site.stop()));
    // The capital last: until then the regions hand over what they still have.
    await this.#sites.get("capital")?.stop();
  }

  /** Over the socket `stop` answers at once: the socket itself ends with the run. */
  #overSocket(): Control {
    return {
      status: () => this.status(),
      revoke: (region) => this.revoke(region),
      rotate: (region) => this.rotate(region),
      cut: (region) => this.cut(region),
      heal: (region) => this.heal(region),
      kill: (site, service) => this.kill(site, service),
      pause: (site, service) => this.pause(site, service),
      resume: (site, service) => this.resume(site, service),
      stopService: (site, service) => this.stopService(site, service),
      startService: (site, service) => this.startService(site, service),
      slow: (region, slowness) => this.slow(region, slowness),
      halfOpen: (region) => this.halfOpen(region),
      fill: (site, service) => this.fill(site, service),
      free: (site, service) => this.free(site, service),
      snapshot: (site, services) => this.snapshot(site, services),
      restore: (site, services) => this.restore(site, services),
      skew: (site, aheadSeconds) => this.skew(site, aheadSeconds),
      addRegions: (regions) => this.addRegions(regions),
      stop: async () => {
        void this.stop();
      },
    };
  }

  async #startSites(contexts: Awaited<ReturnType<NationParts["contexts"]>>): Promise<void> {
    const sites = contexts.map(
      (context) =>
        new SiteRun({
          context,
          folder: this.#parts.folder,
          starts: this.#starts,
          only: this.#options.only,
          preparesClock: this.#options.preparesClocks === true,
          onChange: (status) => this.#changed(status),
        }),
    );
    for (const site of sites) this.#sites.set(site.stack.site, site);
    await Promise.all(sites.map((site) => site.start()));
  }

  #changed(status: ProcessStatus): void {
    const all = [...this.#sites.values()].flatMap(({ statuses }) => statuses);
    const ready = all.filter(({ state }) => state === "ready").length;
    this.#options.onProgress?.({ ...status, ready, of: all.length });
  }

  #region(region: string): SiteRun {
    const site = this.#site(region);
    if (site.line !== undefined) return site;
    throw unknownRegion(
      region,
      [...this.#sites.keys()].filter((name) => name !== region),
    );
  }

  #site(name: string): SiteRun {
    const site = this.#sites.get(name);
    if (site === undefined) throw unknownRegion(name, [...this.#sites.keys()]);
    return site;
  }
}

function chooseRegions(slugs: readonly string[]): readonly Region[] {
  const all = loadRegions();
  return [...new Set(slugs)].map((slug) => {
    const region = all.find((candidate) => candidate.slug === slug);
    if (region === undefined)
      throw unknownRegion(
        slug,
        all.map((candidate) => candidate.slug),
      );
    return region;
  });
}

function releaseOf(): string {
  const { version } = JSON.parse(readFileSync(join(checkoutFolder, "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}
