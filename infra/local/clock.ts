import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SiteName } from "../blueprint/stack.ts";
import { findFakeClock } from "../toolchain/locate.mjs";
import { writeWhole, type DataFolder } from "./data-folder.ts";
import { LocalRunError } from "./errors.ts";

/** Why no clock can be made wrong on this machine; empty when it can. */
export function whyNoWrongClock(): string {
  return findFakeClock() === undefined ? "libfaketime is not installed" : "";
}

/**
 * The clock that the Node and PostgreSQL processes of a site see. libfaketime
 * does not reach programs of Go, so the site's NATS server keeps the right time.
 */
export class SiteClock {
  readonly #file: string;

  constructor(folder: DataFolder, site: SiteName) {
    this.#file = join(folder.site(site), "clock");
  }

  /** By how much it is wrong. */
  get aheadSeconds(): number {
    return existsSync(this.#file) ? Number(readFileSync(this.#file, "utf8")) : 0;
  }

  /** Whether processes that start now see this clock at all. */
  get isPrepared(): boolean {
    return existsSync(this.#file);
  }

  /** What a process needs in order to see it; read again by each process every second. */
  get environment(): Readonly<Record<string, string>> {
    const library = this.isPrepared ? findFakeClock() : undefined;
    if (library === undefined) return {};
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_CACHE_DURATION: "1",
      // Timers and spans go on as they should: a clock that is wrong is not a machine that is slow.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** @throws LocalRunError `tool-missing` */
  set(aheadSeconds: number): void {
    const why = whyNoWrongClock();
    if (why !== "") {
      throw new LocalRunError({
        code: "tool-missing",
        field: "libfaketime",
        value: "",
        message: `the clock cannot be made wrong: ${why}`,
        remedy: "sudo apt-get install -y libfaketime",
      });
    }
    // libfaketime: an offset with its sign is added to the real time.
    writeWhole(this.#file, `${aheadSeconds < 0 ? "" : "+"}${aheadSeconds}`);
  }

  /** Processes that start from now on see the machine's own clock. */
  forget(): void {
    rmSync(this.#file, { force: true });
  }
}
