import { readFile } from "node:fs/promises";
import { z } from "zod";
import { SealKeys } from "#domain/seal.ts";

const sitesMax = 200;
const keysOfSiteMax = 1_000;
const fileSchema = z
  .record(z.string(), z.array(z.object({ kid: z.string(), x: z.string() })).max(keysOfSiteMax))
  .refine((sites) => Object.keys(sites).length <= sitesMax, `expected at most ${sitesMax} sites`);

/** The file with the signing keys cannot be used; the message names file and remedy. */
export class SigningKeysInvalid extends Error {
  override readonly name = "SigningKeysInvalid";
}

/**
 * Reads the public signing keys of all sites.
 *
 * @throws SigningKeysInvalid
 */
export async function readSigningKeys(file: string): Promise<SealKeys> {
  try {
    return new SealKeys(fileSchema.parse(JSON.parse(await readFile(file, "utf8"))));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new SigningKeysInvalid(
      `${file} must be a JSON object of sites with their Ed25519 keys, the current one last: ${reason}`,
    );
  }
}
