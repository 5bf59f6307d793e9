import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LedgerEntry } from "./ledger.ts";
import { randomFrom } from "./schedule.ts";

/** What runs on one data folder were acknowledged, each in a line of a file there. */
export class History {
  readonly #file: string;

  constructor(dataFolder: string) {
    this.#file = join(dataFolder, "faults-ledger.jsonl");
  }

  add(entries: readonly LedgerEntry[]): void {
    const lines = entries
      .filter(({ isAtRisk, revocation }) => !isAtRisk && revocation !== "asked")
      .map((entry) => `${JSON.stringify(entry)}\n`);
    appendFileSync(this.#file, lines.join(""), { mode: 0o600 });
  }

  /** So many of them, chosen by a seed. */
  sample(count: number, seed: number): readonly LedgerEntry[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    const random = randomFrom(seed);
    const places = new Set(Array.from({ length: count }, () => Math.floor(random() * lines.length)));
    return lines.filter((_, place) => places.has(place)).map((line) => JSON.parse(line) as LedgerEntry);
  }
}
