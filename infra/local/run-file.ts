import { readFileSync } from "node:fs";
import type { CertificateFiles } from "./authority.ts";
import { DataFolder } from "./data-folder.ts";
import { LocalRunError } from "./errors.ts";
import type { IdentityFiles } from "./identity.ts";
import { isRunning, type ProcessName } from "./own-process.ts";

/** `run.json`: how the run on a data folder is reached. It is there while the run is. */
export interface RunFile {
  readonly runner: ProcessName;
  readonly startedAt: string;
  readonly release: string;
  readonly dataFolder: string;
  /** Unix socket of the runner. */
  readonly control: string;
  readonly identity: IdentityFiles;
  /** Certificates for whoever asks from outside. */
  readonly clients: Readonly<Record<"cli" | "switch", CertificateFiles>>;
  /** Regions that this run has started. */
  readonly regions: readonly string[];
  readonly regionsFile: string;
  /** `host:port` by site, process and name of the port. */
  readonly sites: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;
}

/**
 * Reads how the run on a data folder is reached.
 *
 * @throws LocalRunError `not-running`
 */
export function readRunFile(dataFolder: string): RunFile {
  const folder = DataFolder.at(dataFolder);
  let run: RunFile | undefined;
  try {
    run = JSON.parse(readFileSync(folder.runFile, "utf8")) as RunFile;
  } catch {
    run = undefined;
  }
  if (run !== undefined && isRunning(run.runner)) return run;
  throw new LocalRunError({
    code: "not-running",
    field: "data",
    value: folder.root,
    message: `no nation is running on ${folder.root}`,
    remedy: "start it with `npm start`, or name the data folder of the one that runs with --data",
  });
}

/** A service's address in a run. @throws LocalRunError `unknown-service` */
export function addressIn(run: RunFile, site: string, process: string, port: string): string {
  const address = run.sites[site]?.[process]?.[port];
  if (address !== undefined) return address;
  throw new LocalRunError({
    code: run.sites[site] === undefined ? "unknown-region" : "unknown-service",
    field: run.sites[site] === undefined ? "region" : "service",
    value: run.sites[site] === undefined ? site : `${site}/${process}`,
    message: `${site}/${process} (${port}) is not part of the run on ${run.dataFolder}`,
    remedy: `running here: ${Object.keys(run.sites).join(", ")}`,
  });
}
