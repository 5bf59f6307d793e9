import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { SiteName } from "../blueprint/stack.ts";
import { diskFull, LocalRunError, systemCode } from "./errors.ts";
import { isRunning, nameProcess, type ProcessName } from "./own-process.ts";

const freeBytesMin = 500 * 1024 ** 2;

/** Where everything of one nation on this machine is kept. */
export class DataFolder {
  /** Absolute, without symbolic links. */
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  /** @throws LocalRunError `data-folder` when it cannot be made or written */
  static create(path: string): DataFolder {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      const folder = new DataFolder(realpathSync(path));
      for (const part of [folder.logs, folder.pids]) mkdirSync(part, { recursive: true, mode: 0o700 });
      return folder;
    } catch (error) {
      if (systemCode(error) === "ENOSPC") throw diskFull(path, 0);
      throw new LocalRunError({
        code: "data-folder",
        field: "data",
        value: path,
        message: `the data folder ${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
        remedy: "choose a folder that you may write to with --data",
      });
    }
  }

  /** The folder without making it: for readers of a run. */
  static at(path: string): DataFolder {
    return new DataFolder(existsSync(path) ? realpathSync(path) : resolve(path));
  }

  get logs(): string {
    return join(this.root, "logs");
  }
  get pids(): string {
    return join(this.root, "pids");
  }
  get authority(): string {
    return join(this.root, "authority");
  }
  get identity(): string {
    return join(this.root, "identity");
  }
  get runFile(): string {
    return join(this.root, "run.json");
  }
  get portsFile(): string {
    return join(this.root, "ports.json");
  }
  /** Names the folder that the databases are archived to; absent: they are not. */
  get backupsFile(): string {
    return join(this.root, "backups");
  }
  /** Every region that was ever started here: the nation of this data folder. */
  get regionsFile(): string {
    return join(this.root, "regions.json");
  }
  /** How many nodes its hub has. */
  get hubFile(): string {
    return join(this.root, "hub.json");
  }
  /** Every region of the country with its area codes. */
  get countryFile(): string {
    return join(this.root, "country.json");
  }
  /** Public signing keys of every site that was ever started here, former ones too. */
  get signingKeysFile(): string {
    return join(this.root, "signing-keys.json");
  }

  site(site: SiteName): string {
    return join(this.root, site);
  }
  secrets(site: SiteName): string {
    return join(this.root, site, "secrets");
  }
  /** Of a process, by the name of its storage. */
  storage(site: SiteName, process: string, storage: string): string {
    return join(this.root, site, `${process}-${storage}`);
  }
  /** Where a site's storage was moved to when it was made anew. */
  setAside(site: SiteName, label: string): string {
    return join(this.root, site, "set-aside", label);
  }
  log(site: SiteName, process: string): string {
    return join(this.logs, `${site}-${process}.log`);
  }

  /** @throws LocalRunError `disk-full` below 500 MiB */
  requireFreeSpace(): void {
    const { bavail, bsize } = statfsSync(this.root);
    if (bavail * bsize < freeBytesMin) throw diskFull(this.root, bavail * bsize);
  }

  /**
   * Makes this process the only runner of the folder until `release`, or until
   * it ends in whatever way.
   *
   * @throws LocalRunError `already-running`
   */
  lock(): { release: () => void } {
    const file = join(this.root, "lock");
    const own = JSON.stringify(nameProcess(process.pid));
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, own, { mode: 0o600 });
    try {
      // Linking either takes the name with its whole content or fails.
      while (!tryLink(draft, file)) this.#removeStaleLock(file);
    } finally {
      rmSync(draft, { force: true });
    }
    return {
      release: () => {
        if (readOrEmpty(file) === own) rmSync(file, { force: true });
      },
    };
  }

  #removeStaleLock(file: string): void {
    const seen = readOrEmpty(file);
    if (seen === "") return;
    const holder = JSON.parse(seen) as ProcessName;
    if (isRunning(holder)) throw this.#alreadyRunning(holder.pid);
    const aside = `${file}.stale.${process.pid}`;
    try {
      renameSync(file, aside);
    } catch {
      return;
    }
    // Another starter may have replaced the stale lock in between: give its own back.
    if (readOrEmpty(aside) !== seen) tryLink(aside, file);
    unlinkSync(aside);
  }

  #alreadyRunning(pid: number): LocalRunError {
    return new LocalRunError({
      code: "already-running",
      field: "data",
      value: this.root,
      message: `a nation is already running on ${this.root} (process ${pid})`,
      remedy: "stop that one with Ctrl-C, or start this one with another --data",
    });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Replaces a file in one step, so that a reader sees the old or the new one whole. Mode 0600. */
export function writeWhole(file: string, content: string): void {
  const draft = `${file}.new`;
  writeFileSync(draft, content, { mode: 0o600 });
  renameSync(draft, file);
}
