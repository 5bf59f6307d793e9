import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Role } from "#domain/vocabulary.ts";
import { defaultDataFolder, type GlobalOptions } from "./options.ts";

/** Who is logged in on a data folder. */
export interface Login {
  readonly person: string;
  readonly role: Role;
  readonly region: string;
  readonly token: string;
}

export function dataFolderOf(options: GlobalOptions): string {
  return resolve(options.data ?? defaultDataFolder);
}

function loginFile(options: GlobalOptions): string {
  return join(dataFolderOf(options), "cli-session.json");
}

export function readLogin(options: GlobalOptions): Login | undefined {
  const file = loginFile(options);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Login) : undefined;
}

/** The file holds a token: only its owner reads it. */
export function writeLogin(options: GlobalOptions, login: Login): void {
  writeFileSync(loginFile(options), `${JSON.stringify(login)}\n`, { mode: 0o600 });
}

/** @returns whether somebody was logged in */
export function removeLogin(options: GlobalOptions): boolean {
  const wasThere = existsSync(loginFile(options));
  rmSync(loginFile(options), { force: true });
  return wasThere;
}
