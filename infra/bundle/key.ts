import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Problem } from "../problem.ts";

const privateMode = 0o600;
const publicMode = 0o644;

export interface SigningKeyFiles {
  readonly privateFile: string;
  readonly publicFile: string;
  readonly fingerprint: string;
}

/**
 * Makes an Ed25519 key pair: the private key at the path, the public one beside it with `.pub`.
 *
 * @throws Problem `key-exists`: a key is never written over
 */
export function makeSigningKey(file: string): SigningKeyFiles {
  const publicFile = `${file}.pub`;
  for (const each of [file, publicFile]) {
    if (existsSync(each)) {
      throw new Problem({
        code: "key-exists",
        field: "out",
        value: each,
        message: "there is a file already; a key that was written over would be lost",
        remedy: "give another path",
      });
    }
  }
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: privateMode, flag: "wx" });
  writeFileSync(publicFile, publicKey.export({ type: "spki", format: "pem" }), {
    mode: publicMode,
    flag: "wx",
  });
  return { privateFile: file, publicFile, fingerprint: fingerprintOf(publicKey) };
}

/** How a public key is told to people: `SHA256:` with the hash of its SubjectPublicKeyInfo in base64. */
export function fingerprintOf(publicKey: KeyObject): string {
  const info = publicKey.export({ type: "spki", format: "der" });
  return `SHA256:${createHash("sha256").update(info).digest("base64").replace(/=+$/, "")}`;
}

/** @throws Problem `key-unreadable`, `key-invalid` */
export function readSigningKey(file: string): KeyObject {
  return readKey(file, "private", createPrivateKey);
}

/** @throws Problem `key-unreadable`, `key-invalid` */
export function readVerifyingKey(file: string): KeyObject {
  return readKey(file, "public", createPublicKey);
}

function readKey(file: string, kind: "private" | "public", parse: (pem: string) => KeyObject): KeyObject {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (error) {
    throw keyProblem("key-unreadable", file, `the key cannot be read: ${messageOf(error)}`, kind);
  }
  let key: KeyObject;
  try {
    key = parse(pem);
  } catch {
    throw keyProblem("key-invalid", file, `this is no ${kind} key in PEM`, kind);
  }
  // From a private key a public one could be had; but whoever checks a bundle has no business with it.
  if (key.asymmetricKeyType === "ed25519" && pem.includes(`${kind.toUpperCase()} KEY`)) return key;
  throw keyProblem("key-invalid", file, `this is no ${kind} Ed25519 key`, kind);
}

function keyProblem(code: string, file: string, message: string, kind: "private" | "public"): Problem {
  return new Problem({
    code,
    field: "key",
    value: file,
    message,
    remedy: `give the ${kind} key that \`npx qalqan bundle key --out FILE\` has written: ${kind === "private" ? "FILE" : "FILE.pub"}`,
  });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
