import { createHash } from "node:crypto";
import { sql, type Transaction } from "#platform/database.ts";
import type { AuditLine } from "../domain/changes.ts";
import type { Database } from "./load.ts";

const noHash: Buffer = Buffer.alloc(32);

/**
 * The audit of the capital: append-only, each line with the hash of the one
 * before it, so that a line that was changed or taken out later shows.
 */
export class AuditChain {
  #number: number;
  #hash: Buffer;
  #pending: { number: number; hash: Buffer } | undefined;

  private constructor(number: number, hash: Buffer) {
    this.#number = number;
    this.#hash = hash;
  }

  static async open(database: Database): Promise<AuditChain> {
    const { rows } = await sql<{ number: number; hash: Buffer }>`
      select number, hash from audit order by number desc limit 1
    `.execute(database);
    return new AuditChain(rows[0]?.number ?? 0, rows[0]?.hash ?? noHash);
  }

  /** Writes lines within a transaction; they count once it is committed. */
  async append(transaction: Transaction<unknown>, lines: readonly AuditLine[], atMs: number): Promise<void> {
    if (lines.length === 0) return;
    let number = this.#number;
    let previous = this.#hash;
    const writing: Promise<unknown>[] = [];
    for (const line of lines) {
      number += 1;
      const hash = auditHash(previous, { ...line, number, atMs });
      const written = sql`
        insert into audit (number, at_ms, actor, role, region, what, detail, previous, hash)
        values (${number}, ${atMs}, ${line.actor}, ${line.role}, ${line.region}, ${line.what}, ${line.detail},
                ${previous}, ${hash})
      `.execute(transaction);
      writing.push(written);
      previous = hash;
    }
    this.#pending = { number, hash: previous };
    await Promise.all(writing);
  }

  /** The transaction of the last `append` is committed. */
  committed(): void {
    if (this.#pending === undefined) return;
    this.#number = this.#pending.number;
    this.#hash = this.#pending.hash;
    this.#pending = undefined;
  }
}

/** SHA-256 over the hash of the line before and the canonical JSON of this one. */
export function auditHash(previous: Uint8Array, line: AuditLine & { number: number; atMs: number }): Buffer {
  const { number, atMs, actor, role, region, what, detail } = line;
  const text = JSON.stringify([number, atMs, actor, role, region, what, detail]);
  return createHash("sha256").update(previous).update(text).digest();
}
