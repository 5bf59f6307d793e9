import { InvalidInput } from "#domain/invalid-input.ts";
import { Refusal } from "#domain/refusal.ts";
import { idCharactersMax } from "../config.ts";
import type { CentreTransaction } from "./schema.ts";

/** What a person's key stands for; call it with the author's lock held. */
export interface IdempotencyKey {
  readonly person: string;
  readonly key: string;
  /** Hash of what was asked: another request must not get this one's answer. */
  readonly fingerprint: string;
}

/** @throws InvalidInput `too-long` */
export function checkKey(key: string): void {
  if (key.length <= idCharactersMax) return;
  throw new InvalidInput({
    code: "too-long",
    field: "idempotency_key",
    value: key,
    message: "is too long",
    remedy: `Give at most ${idCharactersMax} characters.`,
  });
}

/**
 * What the key stands for already; undefined: nothing.
 *
 * @throws Refusal `conflict` when it stands for another request
 */
export function earlierSubject(
  known: { readonly subject: string; readonly fingerprint: string } | undefined,
  { key, fingerprint }: IdempotencyKey,
): string | undefined {
  if (key === "" || known === undefined) return undefined;
  if (known.fingerprint === fingerprint) return known.subject;
  throw new Refusal({
    code: "conflict",
    field: "idempotency_key",
    value: key,
    message: "this key stands for another request",
    remedy: "choose a new key for a new request",
  });
}

export async function rememberKey(
  transaction: CentreTransaction,
  { person, key, fingerprint }: IdempotencyKey,
  subject: string,
  atMs: number,
): Promise<void> {
  if (key === "") return;
  await transaction
    .insertInto("idempotency_keys")
    .values({ person, key, subject, fingerprint, at_ms: atMs })
    .execute();
}
