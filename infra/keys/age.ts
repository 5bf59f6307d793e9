/**
 * Encryption of files with age (age-encryption.org/v1), armored, so that people
 * can open them with the `age` command too. The library is loaded when it is used.
 */

/** Who can open: `identity` is the secret (`AGE-SECRET-KEY-1…`), `recipient` the public part (`age1…`). */
export interface AgeIdentity {
  readonly identity: string;
  readonly recipient: string;
}

/** A file was not opened: it is for others, or it is not what age has written. */
export class AgeFailure extends Error {
  override readonly name = "AgeFailure";
  readonly reason: "for-others" | "damaged";

  constructor(reason: AgeFailure["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

const load = () => import("age-encryption");

export async function makeAgeIdentity(): Promise<AgeIdentity> {
  const age = await load();
  const identity = await age.generateX25519Identity();
  return { identity, recipient: await age.identityToRecipient(identity) };
}

/** Why a text is no recipient; undefined when it is one. */
export async function faultOfRecipient(recipient: string): Promise<string | undefined> {
  const age = await load();
  return faultOf(() => new age.Encrypter().addRecipient(recipient));
}

/** Why a text is no identity; undefined when it is one. */
export async function faultOfIdentity(identity: string): Promise<string | undefined> {
  const age = await load();
  return faultOf(() => new age.Decrypter().addIdentity(identity));
}

function faultOf(add: () => void): string | undefined {
  try {
    add();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** @returns the armored file, which each of the recipients can open */
export async function encrypt(text: string, recipients: readonly string[]): Promise<string> {
  const age = await load();
  const encrypter = new age.Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return age.armor.encode(await encrypter.encrypt(text));
}

/** @throws AgeFailure */
export async function decrypt(armored: string, identities: readonly string[]): Promise<string> {
  const age = await load();
  const decrypter = new age.Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decrypt(age.armor.decode(armored), "text");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // The library has no type for it.
    throw new AgeFailure(message.startsWith("no identity matched") ? "for-others" : "damaged", message);
  }
}
