import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CertificatePart, Stack } from "../blueprint/stack.ts";
import type { Authority, CertificateFiles } from "./authority.ts";
import { writeWhole, type DataFolder } from "./data-folder.ts";

/** The secrets of one stack as files; each is made once and kept. */
export class StackSecrets {
  readonly #files = new Map<string, string | CertificateFiles>();
  readonly #publicKeys = new Map<string, string>();

  /** Makes what is missing. */
  static async prepare(
    stack: Stack,
    folder: DataFolder,
    authority: Authority,
    identityKeysFile: string,
  ): Promise<StackSecrets> {
    const secrets = new StackSecrets();
    const place = folder.secrets(stack.site);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    for (const secret of stack.secrets) {
      const file = join(place, secret.name);
      switch (secret.kind) {
        case "certificate":
          secrets.#files.set(secret.name, await authority.ensure(file, secret.commonName, "workload"));
          break;
        case "nkey":
          secrets.#files.set(secret.name, file);
          secrets.#publicKeys.set(secret.name, await publicNkey(file));
          break;
        case "random":
          if (!existsSync(file)) writeWhole(file, randomBytes(secret.bytes).toString("hex"));
          secrets.#files.set(secret.name, file);
          break;
        case "signing-key":
          if (!existsSync(file)) writeWhole(file, signingKey());
          secrets.#files.set(secret.name, file);
          break;
        case "identity-keys":
          secrets.#files.set(secret.name, identityKeysFile);
          break;
        default:
          secret satisfies never;
      }
    }
    return secrets;
  }

  /** Path of a secret's file; of a certificate, of one of its parts. */
  file(secret: string, part: CertificatePart = "certificate"): string {
    const file = this.#files.get(secret);
    if (file === undefined) throw new RangeError(`the stack has no secret ${secret}`);
    return typeof file === "string" ? file : file[part];
  }

  read(secret: string): string {
    return readFileSync(this.file(secret), "utf8").trim();
  }

  /** Public key of a secret that is an nkey. */
  publicKey(secret: string): string {
    const key = this.#publicKeys.get(secret);
    if (key === undefined) throw new RangeError(`the stack has no nkey ${secret}`);
    return key;
  }
}

/**
 * Public key of the nkey in a seed file, which is made when it is missing. The
 * public key is kept beside it, so that a later start need not load the library.
 */
async function publicNkey(file: string): Promise<string> {
  const publicFile = `${file}.public`;
  if (existsSync(file) && existsSync(publicFile)) return readFileSync(publicFile, "utf8");
  const { nkeys } = await import("nats");
  const pair = existsSync(file) ? nkeys.fromSeed(readFileSync(file)) : nkeys.createUser();
  if (!existsSync(file)) writeWhole(file, Buffer.from(pair.getSeed()).toString("utf8"));
  writeWhole(publicFile, pair.getPublicKey());
  return pair.getPublicKey();
}

function signingKey(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}
