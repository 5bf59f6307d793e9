import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "#platform/log.ts";
import type { KeptSwitches } from "../enforcement.ts";
import { replaceFile } from "./replace-file.ts";
import type { Epochs } from "./snapshot-lines.ts";

const format = 1;

interface Content extends Epochs {
  readonly format: number;
  readonly region: string;
  readonly switches: KeptSwitches;
}

/**
 * Stop switches and modes of trunks beside the snapshot, written whenever one is
 * turned: a stop holds also after a kill -9 in the half minute until the next
 * snapshot, with nobody there to tell of it again.
 */
export class SwitchesFile {
  readonly #path: string;
  readonly #region: string;
  readonly #epochs: Epochs;
  readonly #log: Log;
  #written = "";

  constructor(folder: string, region: string, epochs: Epochs, log: Log) {
    this.#path = join(folder, "switches.json");
    this.#region = region;
    this.#epochs = epochs;
    this.#log = log;
  }

  /** What was turned last; undefined: nothing is kept, or it is of another region or epoch of the capital. */
  async read(): Promise<KeptSwitches | undefined> {
    try {
      const text = await readFile(this.#path, "utf8");
      const content = JSON.parse(text) as Content;
      // Revisions of switches count on through the epochs of the lanes.
      const fits =
        content.format === format &&
        content.region === this.#region &&
        content.nationalEpoch === this.#epochs.nationalEpoch;
      if (!fits) throw new Error("it is of another format, region or epoch of the capital");
      this.#written = text;
      return content.switches;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT"))
        this.#log.error({ event: "switches-not-read", reason: String(error) }, "kept switches are not used");
      return undefined;
    }
  }

  /** Keeps them, unless they are what is kept. A disk that fails is named in the log: the switches hold in memory. */
  async write(switches: KeptSwitches): Promise<void> {
    const { nationalEpoch, regionEpoch } = this.#epochs;
    const content: Content = { format, region: this.#region, nationalEpoch, regionEpoch, switches };
    const text = JSON.stringify(content);
    if (text === this.#written) return;
    try {
      await replaceFile(this.#path, [text]);
      this.#written = text;
    } catch (error) {
      this.#log.error({ event: "switches-not-kept", err: error }, "switches are not kept for a restart");
    }
  }
}
