import { spawn } from "node:child_process";
import { join } from "node:path";
import { startNation, type Nation, type NationOptions } from "#infra/local/nation.ts";
import { addressIn, type RunFile } from "#infra/local/run-file.ts";
import { capital } from "#domain/vocabulary.ts";
import { ToolMissing } from "#infra/toolchain/tools.ts";
import { WrongUse } from "./failure.ts";
import { dataFolderOf } from "./login-file.ts";
import type { GlobalOptions } from "./options.ts";
import { answer, note, plural, table } from "./output.ts";
import { lackingSampleData } from "./sample-data-lacking.ts";
import { StartProgress } from "./start-progress.ts";
import type { TrafficChild } from "./traffic/child.ts";

type LastingOptions = Pick<NationOptions, "backups" | "hubNodes">;

/**
 * Runs a nation until somebody stops it: Ctrl-C, SIGTERM, or its control socket.
 *
 * @param callsPerSecond of the switch simulator; 0: none
 * @param lasting what the data folder keeps from this start on; as before where absent
 * @throws LocalRunError, ToolMissing, RegionInvalid: one clear message each
 */
export async function runNation(
  options: GlobalOptions,
  regions: readonly string[],
  callsPerSecond: number,
  lasting: LastingOptions,
): Promise<void> {
  if (regions.length === 0) {
    throw new WrongUse({
      field: "regions",
      value: "",
      message: "no region is named",
      remedy: "give regions as a,b, or all",
    });
  }
  const startedMs = performance.now();
  const progress = new StartProgress();
  progress.phase(`preparing the capital and ${plural(regions.length, "region")}`);
  const nation = await startWithTools(options, regions, lasting, progress);
  const traffic = new Traffic(nation.run, callsPerSecond);
  const stopping = stopOnSignal(nation, traffic, progress);
  let daily: Promise<void> | undefined;
  try {
    progress.phase("starting");
    progress.expect((await nation.status()).services);
    // A stop that comes before everything is ready ends the wait.
    await Promise.race([nation.ready, nation.stopped]);
    if (!stopping.aborted) {
      await addWhatLacks(options, nation, progress);
      progress.end();
      if (!stopping.aborted) await traffic.start();
      tellReady(options, nation.run, performance.now() - startedMs);
      daily = keepDaily(options, nation);
    }
  } catch (error) {
    // A stop in the middle of the start lets it fail, as it should.
    if (!stopping.aborted) {
      progress.phase("stopping, since the start has failed");
      await nation.stop();
      progress.end();
      throw error;
    }
  }
  await nation.stopped;
  await daily;
  await traffic.stop();
  progress.end();
  note("stopped; the state is kept, the next start goes on with it");
}

/** Base backups of a run that is archived, until it stops. */
async function keepDaily(options: GlobalOptions, nation: Nation): Promise<void> {
  const { backUpDaily } = await import("./backups/daily.ts");
  const abort = new AbortController();
  void nation.stopped.then(() => abort.abort());
  await backUpDaily(options, note, abort.signal);
}

/** The switch simulator beside a nation. */
class Traffic {
  readonly #run: RunFile;
  readonly #callsPerSecond: number;
  #child: TrafficChild | undefined;

  constructor(run: RunFile, callsPerSecond: number) {
    this.#run = run;
    this.#callsPerSecond = callsPerSecond;
  }

  async start(): Promise<void> {
    if (this.#callsPerSecond === 0) return;
    const { startTraffic } = await import("./traffic/child.ts");
    const { dataFolder } = this.#run;
    const logFile = join(dataFolder, "logs", "traffic.log");
    this.#child = startTraffic({ dataFolder, callsPerSecond: this.#callsPerSecond, logFile });
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }
}

/** What is missing on this machine is prepared once, as `npm start` does it; then all is tried again. */
async function startWithTools(
  options: GlobalOptions,
  regions: readonly string[],
  lasting: LastingOptions,
  progress: StartProgress,
): Promise<Nation> {
  const start = () =>
    startNation({
      dataFolder: dataFolderOf(options),
      regions,
      ...lasting,
      log: (line) => progress.line(line),
      onProgress: (change) => progress.changed(change),
    });
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof ToolMissing)) {
      progress.end();
      throw error;
    }
    progress.phase(`preparing ${error.tool}`);
    await prepareTools();
    return start();
  }
}

async function prepareTools(): Promise<void> {
  const script = join(import.meta.dirname, "..", "..", "infra", "toolchain", "prepare.mjs");
  await new Promise<void>((resolve) => {
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "ignore", "inherit"] });
    // Whether it helped, the second start says, better than an exit code could.
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
}

async function addWhatLacks(options: GlobalOptions, nation: Nation, progress: StartProgress): Promise<void> {
  const lacking = lackingSampleData(dataFolderOf(options), nation.run.regions);
  if (lacking.bank && lacking.regions.length === 0) return;
  progress.phase("adding sample trunks and protected numbers");
  const { addSampleData } = await import("./sample-data.ts");
  await addSampleData(options, lacking);
}

/** Ends the run in order at the first signal; the following ones are told that it is on the way. */
function stopOnSignal(nation: Nation, traffic: Traffic, progress: StartProgress): AbortSignal {
  const abort = new AbortController();
  const stop = () => {
    if (abort.signal.aborted) {
      progress.line("still stopping: what was accepted is being written down");
      return;
    }
    abort.abort();
    progress.phase("stopping the regions");
    const watch = setInterval(() => {
      if (!progress.regionsHaveStopped) return;
      clearInterval(watch);
      progress.phase("stopping the capital");
    }, stopWatchMs);
    // The switches first: they would only count calls that nobody answered.
    void traffic
      .stop()
      .then(() => nation.stop())
      .finally(() => clearInterval(watch));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  return abort.signal;
}

const stopWatchMs = 50;

function tellReady(options: GlobalOptions, run: RunFile, milliseconds: number): void {
  const seconds = (milliseconds / 1_000).toFixed(1);
  const addresses = Object.entries(run.sites).flatMap(([site, workloads]) =>
    Object.entries(workloads).flatMap(([workload, ports]) =>
      Object.entries(ports)
        .filter(
          ([port]) =>
            port === "grpc" || (port === "http" && (workload === "centre" || workload === "coordination")),
        )
        .map(([port, address]) => [site, workload, port, port === "http" ? `http://${address}` : address]),
    ),
  );
  const { dataFolder, regions } = run;
  answer(
    options,
    { ready: true, milliseconds: Math.round(milliseconds), dataFolder, regions, sites: run.sites },
    () => [
      ...table(["where", "service", "for", "address"], addresses),
      `the nation's page: http://${addressIn(run, capital, "coordination", "http")}/`,
      `ready in ${seconds} s; data in ${dataFolder}; Ctrl-C stops all`,
    ],
  );
}
