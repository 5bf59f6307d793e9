import { createPublicKey, createPrivateKey, generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./data-folder.ts";
import type { LocalPerson } from "./people.ts";

const issuer = "qalqan-local";
const audience = "qalqan";
const algorithm = "EdDSA";
const keyId = "local-1";

/** Files of the local identity. */
export interface IdentityFiles {
  /** Ed25519, PKCS 8, PEM. */
  readonly privateKey: string;
  /** JWKS (RFC 7517) for whoever verifies. */
  readonly keys: string;
}

/** Makes the key pair of the local identity on first use. */
export function prepareIdentity(folder: string): IdentityFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = { privateKey: join(folder, "private.pem"), keys: join(folder, "keys.json") };
  if (!existsSync(files.privateKey)) {
    const { privateKey } = generateKeyPairSync("ed25519");
    writeWhole(files.privateKey, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  }
  if (!existsSync(files.keys)) {
    const publicKey = createPublicKey(createPrivateKey(readFileSync(files.privateKey, "utf8")));
    const key = { ...publicKey.export({ format: "jwk" }), kid: keyId, use: "sig", alg: algorithm };
    writeWhole(files.keys, JSON.stringify({ keys: [key] }, undefined, 2));
  }
  return files;
}

/**
 * A bearer token of the local identity for any person.
 *
 * @param privateKeyFile `identity.privateKey` of `run.json`
 * @param ttlSeconds how long it is honoured
 */
export async function mintToken(
  privateKeyFile: string,
  person: LocalPerson,
  ttlSeconds: number,
): Promise<string> {
  const { importPKCS8, SignJWT } = await import("jose");
  const key = await importPKCS8(readFileSync(privateKeyFile, "utf8"), algorithm);
  const { id, ...claims } = person;
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, kid: keyId })
    .setSubject(id)
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${ttlSeconds}s`)
    .sign(key);
}
