import { z } from "zod";
import { AgeFailure, decrypt, encrypt } from "./age.ts";
import { keysProblem } from "./key-problem.ts";
import { siteKeysSchema, type SiteKeys } from "./site-keys.ts";

const documentSchema = z.strictObject({
  /** Who can open the file: the file itself does not tell. */
  recipients: z.array(z.string()),
  /** Fingerprint of the public parts that were there before; null: there were none. */
  replaces: z.string().nullable(),
  keys: siteKeysSchema,
});

/** What is in the encrypted file of a site. */
export interface KeyDocument {
  readonly recipients: readonly string[];
  readonly replaces: string | null;
  readonly keys: SiteKeys;
}

export function sealDocument(document: KeyDocument): Promise<string> {
  return encrypt(JSON.stringify(document), document.recipients);
}

/**
 * @param file for what is said
 * @throws Problem `keys-undecryptable`, `keys-damaged`, `keys-of-other-site`
 */
export async function openDocument(
  site: string,
  file: string,
  encrypted: string,
  identities: readonly string[],
): Promise<KeyDocument> {
  const text = await decryptFile(site, file, encrypted, identities);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw damaged(site, file, "what is in it is no JSON");
  }
  const result = documentSchema.safeParse(content);
  if (!result.success) throw damaged(site, file, "what is in it are no keys");
  if (result.data.keys.site !== site) throw ofOtherSite(file, site, result.data.keys.site);
  return result.data;
}

async function decryptFile(
  site: string,
  file: string,
  encrypted: string,
  identities: readonly string[],
): Promise<string> {
  try {
    return await decrypt(encrypted, identities);
  } catch (error) {
    if (!(error instanceof AgeFailure)) throw error;
    if (error.reason === "damaged") throw damaged(site, file, error.message);
    throw keysProblem(
      "keys-undecryptable",
      file,
      `the keys of ${site} are encrypted for others than the identity that was given`,
      `give the identity of one of recipients.txt; or have one of them add yours there and run \`npx qalqan keys make ${site}\``,
    );
  }
}

function damaged(site: string, file: string, why: string): Error {
  return keysProblem(
    "keys-damaged",
    file,
    `${file} is damaged: ${why}`,
    `restore it from a backup; without one move it away, make new keys with \`npx qalqan keys make ${site}\`, and roll out both ends of the line`,
  );
}

/** Somebody has swapped or renamed files. */
export function ofOtherSite(file: string, site: string, other: string): Error {
  return keysProblem(
    "keys-of-other-site",
    file,
    `${file} has the keys of ${other}, not of ${site}`,
    "put each file back under the name of its own site",
  );
}
