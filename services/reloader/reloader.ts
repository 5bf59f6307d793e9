import { createHash } from "node:crypto";
import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { Readiness } from "#platform/probes.ts";
import { watchContents } from "#platform/watched-files.ts";
import {
  firstRetryMs,
  idleLookMs,
  lookEveryMs,
  refusedRetryMs,
  retryMaxMs,
  type ReloaderConfig,
} from "./config.ts";
import { endLinesWithout, keysIn } from "./lines.ts";
import { askToReload, type Answer } from "./reload.ts";

/**
 * Sees that the server has loaded what its files hold, and that no line stays
 * open whose key they do not name any more. It is asked once at each start too:
 * nobody else knows what it has loaded.
 */
export class Reloader {
  readonly #config: ReloaderConfig;
  readonly #log: Log;
  readonly #wake = new Wake();
  /** Hash of what the files hold; undefined: they could not be read yet. */
  #wanted: string | undefined;
  /** Keys that the files name. */
  #keys: ReadonlySet<string> = new Set();
  /** Which server was last asked to load what, and did: another start of it is another server. */
  #loaded = "";
  /** Consecutive times without an answer. */
  #silences = 0;
  #state: Readiness = { ready: true, why: "waiting for the files and the server" };

  constructor(config: ReloaderConfig, log: Log) {
    this.#config = config;
    this.#log = log;
  }

  /**
   * Always ready: what the server refuses, or does not hear, leaves it with what
   * it has loaded, and a node of the hub must not go for want of news.
   */
  get readiness(): Readiness {
    return this.#state;
  }

  /** Follows the files until the signal. */
  async watch(signal: AbortSignal): Promise<void> {
    const files = [this.#config.ACCOUNTS_FILE, this.#config.CA_FILE];
    for await (const contents of watchContents(files, lookEveryMs, signal)) {
      this.#wanted = createHash("sha256").update(JSON.stringify(contents)).digest("hex");
      this.#keys = keysIn(contents[0] ?? "");
      this.#wake.notify();
    }
  }

  /** Has the server load whatever is new, until the signal. */
  async run(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#wake.wait(await this.#look(connection), signal);
  }

  /** @returns after how long to look again, unless the files change before (ms) */
  async #look(connection: NatsConnection): Promise<number> {
    if (this.#wanted === undefined) return idleLookMs;
    const keys = this.#keys;
    const wanted = `${connection.info?.server_id ?? ""} ${this.#wanted}`;
    const files = this.#wanted.slice(0, 12);
    if (wanted !== this.#loaded) {
      const answer = await this.#ask(connection, files);
      if (answer === undefined) {
        this.#silences += 1;
        return Math.min(firstRetryMs * 2 ** Math.min(this.#silences - 1, 10), retryMaxMs);
      }
      this.#silences = 0;
      if (answer.kind === "refused") return refusedRetryMs;
      this.#loaded = wanted;
      this.#log.info(
        { event: "accounts-loaded", files },
        "the server has loaded its accounts and authorities",
      );
    }
    // At each look: a line may have been let in while the server was loading.
    await this.#endLines(connection, keys);
    // Also where a file that was refused has become again what was loaded before.
    this.#state = { ready: true, why: `the server has loaded ${files}` };
    return idleLookMs;
  }

  async #endLines(connection: NatsConnection, keys: ReadonlySet<string>): Promise<void> {
    try {
      for (const { account, key } of await endLinesWithout(connection, keys))
        this.#log.warn({ event: "line-ended", account, key }, "a line was open with a key that is revoked");
    } catch (error) {
      this.#log.warn(
        { event: "lines-unanswered", reason: String(error) },
        "the server was asked for its lines in vain; it is asked again",
      );
    }
  }

  /** @returns undefined: no answer came */
  async #ask(connection: NatsConnection, files: string): Promise<Answer | undefined> {
    try {
      const answer = await askToReload(connection);
      if (answer.kind === "refused") {
        const { words } = answer;
        const why = `the server refuses ${files}, and goes on with what it had: ${words}`;
        this.#state = { ready: true, why };
        this.#log.error(
          { event: "accounts-refused", files, reason: words },
          "the server refuses its new accounts",
        );
      }
      return answer;
    } catch (error) {
      const why = `the server does not answer whether it has loaded ${files}`;
      this.#state = { ready: this.#state.ready, why };
      this.#log.warn(
        { event: "reload-unanswered", files, reason: String(error) },
        "the server was asked to reload in vain",
      );
      return undefined;
    }
  }
}
