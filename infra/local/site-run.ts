import { capitalSite, type Stack, type Workload, type WorkloadName } from "../blueprint/stack.ts";
import type { DataFolder } from "./data-folder.ts";
import { LocalRunError } from "./errors.ts";
import { instanceNames, instancesOf } from "./instances.ts";
import { launchOf, type LaunchContext } from "./launch.ts";
import type { Limit } from "./limit.ts";
import { SiteFaults } from "./site-faults.ts";
import { Line } from "./line.ts";
import { lineKey, portKey } from "./ports.ts";
import { SupervisedProcess, type ProcessStatus } from "./supervised-process.ts";

/** The processes of one stack, and its line to the capital. */
export class SiteRun {
  readonly stack: Stack;
  readonly line: Line | undefined;
  readonly faults: SiteFaults;
  readonly #processes: ReadonlyMap<string, SupervisedProcess>;
  #stopping = false;

  constructor(options: {
    readonly context: LaunchContext;
    readonly folder: DataFolder;
    readonly starts: Limit;
    /** Workloads that are run; all when absent. */
    readonly only?: readonly WorkloadName[] | undefined;
    readonly preparesClock: boolean;
    readonly onChange: (status: ProcessStatus) => void;
  }) {
    const { context, folder, starts, only, preparesClock, onChange } = options;
    this.stack = context.stack;
    const { site } = this.stack;
    this.line = site === capitalSite ? undefined : lineOf(context);
    this.#processes = new Map(
      this.stack.workloads
        .filter(({ name }) => only === undefined || only.includes(name))
        .flatMap((workload) => instancesOf(workload, context.hubNodes))
        .map((instance) => [
          instance.name,
          new SupervisedProcess({
            site,
            instance,
            folder,
            starts,
            onChange,
            launch: launchOf(instance, context),
          }),
        ]),
    );
    this.faults = new SiteFaults({
      site,
      folder,
      preparesClock,
      process: (service) => this.process(service),
      all: () => this.#all,
    });
  }

  get #all(): readonly SupervisedProcess[] {
    return [...this.#processes.values()];
  }

  get statuses(): readonly ProcessStatus[] {
    return this.#all.map(({ status }) => status);
  }

  /** @throws LocalRunError `unknown-service` */
  process(service: string): SupervisedProcess {
    const found = this.#processes.get(service);
    if (found !== undefined) return found;
    throw new LocalRunError({
      code: "unknown-service",
      field: "service",
      value: service,
      message: `${this.stack.site} has no service ${service}`,
      remedy: `one of: ${[...this.#processes.keys()].join(", ")}`,
    });
  }

  /** All processes of a workload. */
  processesOf(workload: WorkloadName): readonly SupervisedProcess[] {
    return this.#all.filter((process) => process.workload.name === workload);
  }

  /**
   * Opens the line and starts all processes, each once those that it needs are
   * ready. Resolves when all are ready; rejects with the first that does not start.
   */
  async start(): Promise<void> {
    await this.faults.recover();
    await this.line?.heal();
    await Promise.all(
      this.#all.map(async (process) => {
        await Promise.all(
          process.workload.after.flatMap((name) => this.processesOf(name)).map(({ ready }) => ready),
        );
        if (this.#stopping) return;
        process.start();
        await process.ready;
      }),
    );
  }

  /** Stops all, those first that nobody needs; then closes the line. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const processes = this.#all;
    const depths = processes.map(({ workload }) => this.#depth(workload));
    for (let depth = Math.max(0, ...depths); depth >= 0; depth -= 1) {
      await Promise.all(
        processes.filter((_, index) => depths[index] === depth).map((process) => process.stop()),
      );
    }
    await this.line?.cut();
    await this.faults.recover();
  }

  #depth(workload: Workload): number {
    const needed = workload.after.flatMap((name) => this.processesOf(name));
    return needed.length === 0 ? 0 : 1 + Math.max(...needed.map((process) => this.#depth(process.workload)));
  }
}

function lineOf({ stack, capital, hubNodes, ports }: LaunchContext): Line {
  const far = stack.arrows.find(({ to }) => to.site === capital.site)?.to;
  if (far === undefined) throw new Error(`${stack.site} has no arrow to the capital`);
  const hubPorts = instanceNames(capital, far.workload, hubNodes).map((name) =>
    ports.port(portKey(capital.site, name, far.port)),
  );
  return new Line(ports.port(lineKey(stack.site)), hubPorts);
}
