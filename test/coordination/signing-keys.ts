import { generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SealingKey } from "#domain/seal.ts";
import { publicSigningKey, signingKeysText, type SigningKey } from "#infra/keys/public-keys.ts";

/** The signing keys of a nation under test: the capital's, and those of its regions as they are asked for. */
export class TestKeys {
  readonly #folder: string;
  readonly #published: Record<string, SigningKey[]> = {};

  constructor(folder: string) {
    this.#folder = folder;
    this.of("capital");
  }

  /** What coordination is told. */
  get environment(): Record<string, string> {
    return { SIGNING_KEY_FILE: this.#file("capital"), SIGNING_KEYS_FILE: this.publishedFile };
  }

  get publishedFile(): string {
    return join(this.#folder, "signing-keys.json");
  }

  /** The current key of a site, which is made and published the first time. */
  of(site: string): SealingKey {
    if (!existsSync(this.#file(site))) this.rotate(site);
    return new SealingKey(readFileSync(this.#file(site), "utf8"));
  }

  /** Another key for a site; the one before stays published. */
  rotate(site: string): void {
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    writeFileSync(this.#file(site), pem);
    (this.#published[site] ??= []).push(publicSigningKey(pem));
    writeFileSync(this.publishedFile, signingKeysText(this.#published));
  }

  #file(site: string): string {
    return join(this.#folder, `${site}.signing-key.pem`);
  }
}
