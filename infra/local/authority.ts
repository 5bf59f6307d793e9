import { webcrypto, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeWhole } from "./data-folder.ts";
import { loopback } from "./ports.ts";

const dayMs = 24 * 3_600_000;
const authorityLifeDays = 3_650;
const certificateLifeDays = 365;
const renewalDays = 30;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Files of one certificate, PEM. */
export interface CertificateFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate proves: a workload serves and asks, a client only asks. */
export type CertificateUse = "workload" | "client";

/**
 * The certificate authority of a data folder. The library for certificates is
 * loaded only when one has to be made: a start with good ones is faster by it.
 */
export class Authority {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  get caFile(): string {
    return join(this.#folder, "ca.pem");
  }
  get #keyFile(): string {
    return join(this.#folder, "ca.key.pem");
  }

  /** Makes the authority itself on first use. */
  async prepare(): Promise<void> {
    if (existsSync(this.#keyFile) && existsSync(this.caFile)) return;
    const x509 = await loadX509();
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: "CN=Qalqan local authority",
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + authorityLifeDays * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    writeWhole(this.#keyFile, await privatePem(keys.privateKey));
    writeWhole(this.caFile, certificate.toString("pem"));
  }

  /**
   * Sees that a certificate is there, of this authority and not about to end.
   *
   * @param base path without ending: `<base>.pem` and `<base>.key.pem` are written
   */
  async ensure(base: string, commonName: string, use: CertificateUse): Promise<CertificateFiles> {
    const files = { ca: this.caFile, certificate: `${base}.pem`, key: `${base}.key.pem` };
    if (!this.#isGood(files)) await this.#issue(files, commonName, use);
    return files;
  }

  #isGood(files: CertificateFiles): boolean {
    if (!existsSync(files.certificate) || !existsSync(files.key)) return false;
    const certificate = new X509Certificate(readFileSync(files.certificate));
    const authority = new X509Certificate(readFileSync(this.caFile));
    const renewAtMs = Date.parse(certificate.validTo) - renewalDays * dayMs;
    return certificate.verify(authority.publicKey) && Date.now() < renewAtMs;
  }

  async #issue(files: CertificateFiles, commonName: string, use: CertificateUse): Promise<void> {
    const x509 = await loadX509();
    const signingKey = await webcrypto.subtle.importKey(
      "pkcs8",
      x509.PemConverter.decodeFirst(readFileSync(this.#keyFile, "utf8")),
      algorithm,
      false,
      ["sign"],
    );
    const authority = new x509.X509Certificate(readFileSync(this.caFile, "utf8"));
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${commonName}`,
      issuer: authority.subject,
      notBefore: new Date(Date.now() - dayMs),
      notAfter: new Date(Date.now() + certificateLifeDays * dayMs),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(use === "workload" ? [serverAuth, clientAuth] : [clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: "dns", value: commonName },
          ...(use === "workload" ? localNames : []),
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(authority),
      ],
    });
    mkdirSync(dirname(files.key), { recursive: true, mode: 0o700 });
    // The key first: a certificate whose key is missing or of another pair would be taken for good.
    writeWhole(files.key, await privatePem(keys.privateKey));
    writeWhole(files.certificate, certificate.toString("pem"));
  }
}

const localNames = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: loopback },
] as const;

async function loadX509() {
  // The library asks for a Reflect with metadata, and leaves it to its user to load one.
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

/** RFC 5280, 4.1.2.2: positive, at most 20 octets. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString("hex");
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}
