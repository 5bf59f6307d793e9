import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { SiteName } from "../blueprint/stack.ts";
import { SiteClock, whyNoWrongClock } from "./clock.ts";
import type { DataFolder } from "./data-folder.ts";
import { LocalRunError } from "./errors.ts";
import { Limit } from "./limit.ts";
import { run } from "./postgres.ts";
import {
  fillSmallDisk,
  isSmallDisk,
  moveFromSmallDisk,
  moveToSmallDisk,
  putBackMoved,
  whyNoSmallDisk,
} from "./small-disk.ts";
import type { SupervisedProcess } from "./supervised-process.ts";

/** Something that was done to a site and can be mended, beside its line and its paused processes. */
export interface SiteFault {
  readonly site: SiteName;
  /** Of one process; empty: of the whole site. */
  readonly service: string;
  readonly kind: "disk-full" | "clock";
  readonly detail: string;
}

/** A copy of a store that can be put back. */
export interface StoreCopy {
  readonly site: SiteName;
  readonly service: string;
  readonly takenAtMs: number;
}

/** A kind of fault that this machine cannot do, and why. */
export interface ImpossibleFault {
  readonly kind: SiteFault["kind"];
  readonly why: string;
}

export function impossibleFaults(): readonly ImpossibleFault[] {
  const all: readonly ImpossibleFault[] = [
    { kind: "disk-full", why: whyNoSmallDisk() },
    { kind: "clock", why: whyNoWrongClock() },
  ];
  return all.filter(({ why }) => why !== "");
}

/** What can be done to the storage and to the clock of a site's processes. */
export class SiteFaults {
  readonly #site: SiteName;
  readonly #folder: DataFolder;
  readonly #clock: SiteClock;
  readonly #process: (service: string) => SupervisedProcess;
  readonly #all: () => readonly SupervisedProcess[];
  readonly #copies = new Map<string, number>();
  readonly #full = new Set<string>();
  /** What moves storage goes on one at a time. */
  readonly #moves = new Limit(1);

  constructor(options: {
    readonly site: SiteName;
    readonly folder: DataFolder;
    /** @throws LocalRunError `unknown-service` */
    readonly process: (service: string) => SupervisedProcess;
    readonly all: () => readonly SupervisedProcess[];
    /** Whether clocks may become wrong without a restart of what sees them. */
    readonly preparesClock: boolean;
  }) {
    this.#site = options.site;
    this.#folder = options.folder;
    this.#process = options.process;
    this.#all = options.all;
    this.#clock = new SiteClock(options.folder, options.site);
    if (options.preparesClock && whyNoWrongClock() === "") this.#clock.set(0);
    else this.#clock.forget();
  }

  get faults(): readonly SiteFault[] {
    const { aheadSeconds } = this.#clock;
    const clock: readonly SiteFault[] =
      aheadSeconds === 0
        ? []
        : [{ site: this.#site, service: "", kind: "clock", detail: clockDetail(aheadSeconds) }];
    const disks = [...this.#full].map((service): SiteFault => ({
      site: this.#site,
      service,
      kind: "disk-full",
      detail: "no byte is left on its disk",
    }));
    return [...disks, ...clock];
  }

  get copies(): readonly StoreCopy[] {
    return [...this.#copies].map(([service, takenAtMs]) => ({ site: this.#site, service, takenAtMs }));
  }

  /** Puts every storage back where it belongs, while nothing runs; also after a run that ended in whatever way. */
  async recover(): Promise<void> {
    await rm(this.#copiesFolder, { recursive: true, force: true });
    for (const process of this.#all()) {
      for (const storage of this.#storages(process)) {
        putBackMoved(storage);
        if (isSmallDisk(storage)) await moveFromSmallDisk(storage);
      }
    }
  }

  /**
   * Gives a process's storage a small disk and fills it; the process is started
   * again on it.
   *
   * @throws LocalRunError `unknown-service`, `wrong-state`, `tool-missing`
   */
  async fill(service: string): Promise<void> {
    const why = whyNoSmallDisk();
    if (why !== "") {
      throw new LocalRunError({
        code: "tool-missing",
        field: "mount",
        value: "",
        message: `no disk can be made full: ${why}`,
        remedy: "start the nation as root, on a machine that lets it mount",
      });
    }
    await this.#moving(async () => {
      const [storage] = this.#requireStorages([service]);
      if (storage === undefined || this.#full.has(service)) return;
      const process = this.#process(service);
      await process.stop();
      await moveToSmallDisk(storage);
      this.#full.add(service);
      process.start();
      await process.untilReady();
      fillSmallDisk(storage);
    });
  }

  /** Gives the storage its own disk back; the process is started again. Nothing happens when it has it. */
  async free(service: string): Promise<void> {
    const process = this.#process(service);
    await this.#moving(async () => {
      if (!this.#full.has(service)) return;
      await process.stop();
      for (const storage of this.#storages(process))
        if (isSmallDisk(storage)) await moveFromSmallDisk(storage);
      this.#full.delete(service);
      process.start();
    });
  }

  /**
   * Copies the stores of processes as they are at one moment: none of them
   * writes while that is done. The copies replace earlier ones.
   *
   * @throws LocalRunError `unknown-service`, `wrong-state`
   */
  async snapshot(services: readonly string[]): Promise<void> {
    await this.#moving(async () => {
      this.#requireStorages(services);
      const copies = services.map((service) => async () => {
        for (const storage of this.#storages(this.#process(service))) {
          const copy = this.#copyOf(storage);
          await rm(copy, { recursive: true, force: true });
          await mkdir(this.#copiesFolder, { recursive: true, mode: 0o700 });
          await run(["cp", "-a", "--reflink=auto", storage, copy]);
        }
      });
      const copyAll = async () => {
        for (const copy of copies) await copy();
      };
      const still = services.reduce<() => Promise<void>>(
        (then, service) => () => this.#process(service).whileStill(then),
        copyAll,
      );
      await still();
      for (const service of services) this.#copies.set(service, Date.now());
    });
  }

  /**
   * Puts the copies back: what the stores have learned since is gone, as after
   * the loss of a disk and the restore of a backup.
   *
   * @throws LocalRunError `unknown-service`, `wrong-state` without a copy
   */
  async restore(services: readonly string[]): Promise<void> {
    await this.#moving(async () => {
      const storages = this.#requireStorages(services);
      for (const service of services) if (!this.#copies.has(service)) throw this.#noCopy(service);
      const processes = services.map((service) => this.#process(service));
      await Promise.all(processes.map((process) => process.stop()));
      for (const storage of storages) {
        const draft = `${storage}.draft`;
        await run(["cp", "-a", "--reflink=auto", this.#copyOf(storage), draft]);
        await rm(storage, { recursive: true });
        await rename(draft, storage);
      }
      for (const process of processes) process.start();
    });
  }

  /**
   * Makes the clock of the site's Node and PostgreSQL processes wrong, or right
   * again. Those that cannot see it yet are started again.
   *
   * @throws LocalRunError `tool-missing`
   */
  async skew(aheadSeconds: number): Promise<void> {
    if (!this.#clock.isPrepared && aheadSeconds === 0) return;
    await this.#moving(async () => {
      const wasPrepared = this.#clock.isPrepared;
      this.#clock.set(aheadSeconds);
      if (wasPrepared) return;
      const blind = this.#all().filter(({ workload }) => workload.program.kind !== "nats");
      await Promise.all(blind.map((process) => process.stop()));
      for (const process of blind) process.start();
    });
  }

  async #moving(work: () => Promise<void>): Promise<void> {
    const leave = await this.#moves.enter();
    try {
      await work();
    } finally {
      leave();
    }
  }

  /** Those storages that are there: not every one of a stack is used on one machine. */
  #storages({ name, workload }: SupervisedProcess): readonly string[] {
    return workload.storage
      .map((storage) => this.#folder.storage(this.#site, name, storage.name))
      .filter((path) => existsSync(path) || existsSync(`${path}.aside`));
  }

  #requireStorages(services: readonly string[]): readonly string[] {
    return services.flatMap((service) => {
      const storages = this.#storages(this.#process(service));
      if (storages.length > 0 && !this.#full.has(service)) return storages;
      throw new LocalRunError({
        code: "wrong-state",
        field: "service",
        value: `${this.#site}/${service}`,
        message:
          storages.length === 0
            ? `${this.#site}/${service} has no storage`
            : `the disk of ${this.#site}/${service} is full`,
        remedy: storages.length === 0 ? "name a process that has one, such as nats" : "free it first",
      });
    });
  }

  get #copiesFolder(): string {
    return join(this.#folder.site(this.#site), "copies");
  }

  #copyOf(storage: string): string {
    return join(this.#copiesFolder, basename(storage));
  }

  #noCopy(service: string): LocalRunError {
    return new LocalRunError({
      code: "wrong-state",
      field: "service",
      value: `${this.#site}/${service}`,
      message: `there is no copy of the store of ${this.#site}/${service}`,
      remedy: `take one first: qalqan local snapshot ${this.#site}/${service}`,
    });
  }
}

const clockDetail = (aheadSeconds: number): string =>
  `${Math.abs(aheadSeconds)} s ${aheadSeconds > 0 ? "ahead of" : "behind"} the machine's`;
