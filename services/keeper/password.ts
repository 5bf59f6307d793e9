import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { watchContents } from "#platform/watched-files.ts";
import { lookEveryMs, retryMs, type KeeperConfig } from "./config.ts";
import { opens, passwordForm, scramSecret } from "./domain/scram.ts";
import type { Database } from "./store/database.ts";

/** Sees that the role has the password of the file, also when the file changes. */
export class RolePassword {
  readonly #config: KeeperConfig;
  readonly #database: Database;
  readonly #log: Log;
  /** Why the role does not have the password of the file; empty: it has. */
  lacking = "the role's password is not set yet";
  /** Whether the role has, or had, a password of the file: services can log in with it. */
  isSet = false;

  constructor(config: KeeperConfig, database: Database, log: Log) {
    this.#config = config;
    this.#database = database;
    this.#log = log;
  }

  async run(signal: AbortSignal): Promise<void> {
    const files = [this.#config.DATABASE_PASSWORD_FILE];
    for await (const [content = ""] of watchContents(files, lookEveryMs, signal)) {
      const password = content.trim();
      if (passwordForm.test(password)) {
        await this.#untilSet(password, signal);
        continue;
      }
      this.lacking = "the password file holds no 8 to 200 printable ASCII characters";
      this.#log.error({ event: "password-unusable" }, this.lacking);
    }
  }

  async #untilSet(password: string, signal: AbortSignal): Promise<void> {
    this.lacking = "the role's password is not set yet";
    for (;;) {
      try {
        await this.#set(password);
        this.lacking = "";
        this.isSet = true;
        return;
      } catch (error) {
        this.#log.info({ reason: String(error) }, "waiting for the database to set the role's password");
      }
      if (!(await pause(retryMs, signal))) return;
    }
  }

  async #set(password: string): Promise<void> {
    const role = this.#config.DATABASE_USER;
    if (opens(password, await this.#database.passwordSecret(role))) return;
    await this.#database.setPasswordSecret(role, scramSecret(password));
    this.#log.info({ event: "password-set" }, "the role has the password of the file");
  }
}
