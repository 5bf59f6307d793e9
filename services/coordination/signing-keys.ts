import { readFile } from "node:fs/promises";
import type { SealKeys } from "#domain/seal.ts";
import { parseSigningKeys, SigningKeysInvalid } from "#domain/signing-keys.ts";

/**
 * Reads the public signing keys of all sites.
 *
 * @throws SigningKeysInvalid naming the file
 */
export async function readSigningKeys(file: string): Promise<SealKeys> {
  try {
    return parseSigningKeys(await readFile(file, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SigningKeysInvalid(`${file}: ${reason}`);
  }
}
