import { z } from "zod";
import { SealKeys } from "./seal.ts";

const sitesMax = 200;
const keysOfSiteMax = 1_000;

const listSchema = z
  .record(z.string(), z.array(z.object({ kid: z.string(), x: z.string() })).max(keysOfSiteMax))
  .refine((sites) => Object.keys(sites).length <= sitesMax, `expected at most ${sitesMax} sites`);

/** The text is no list of public signing keys: what is wrong with it, in words. */
export class SigningKeysInvalid extends Error {
  override readonly name = "SigningKeysInvalid";
}

/**
 * Reads the public signing keys of all sites (infra/keys/public-keys.ts writes them).
 *
 * @throws SigningKeysInvalid
 */
export function parseSigningKeys(text: string): SealKeys {
  try {
    return new SealKeys(listSchema.parse(JSON.parse(text)));
  } catch (error) {
    const reason = error instanceof z.ZodError ? issueOf(error) : String(error);
    throw new SigningKeysInvalid(
      `expected a JSON object of sites with their Ed25519 keys, the current one last: ${reason}`,
    );
  }
}

/** The first thing that is wrong, in one line. */
export function issueOf({ issues: [first] }: z.ZodError): string {
  if (first === undefined) return "nothing";
  return first.path.length === 0 ? first.message : `${first.path.join(".")}: ${first.message}`;
}
