import { X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  dayMs,
  issueCertificate,
  makeAuthority,
  type CertificateAndKey,
  type CertificateUse,
} from "../keys/certificates.ts";
import { writeWhole } from "./data-folder.ts";
import { loopback } from "./ports.ts";

const certificateLifeDays = 365;
const renewalDays = 30;

/** Files of one certificate, PEM. */
export interface CertificateFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** The certificate authority of a data folder; each certificate is made once and kept in files. */
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
    write({ certificate: this.caFile, key: this.#keyFile }, await makeAuthority("Qalqan local authority"));
  }

  /**
   * Sees that a certificate is there, of this authority and not about to end.
   *
   * @param base path without ending: `<base>.pem` and `<base>.key.pem` are written
   */
  async ensure(base: string, commonName: string, use: CertificateUse): Promise<CertificateFiles> {
    const files = { ca: this.caFile, certificate: `${base}.pem`, key: `${base}.key.pem` };
    if (this.#isGood(files)) return files;
    const authority = {
      certificate: readFileSync(this.caFile, "utf8"),
      key: readFileSync(this.#keyFile, "utf8"),
    };
    const serves = use === "workload";
    const issued = await issueCertificate(authority, {
      commonName,
      dnsNames: [commonName, ...(serves ? ["localhost"] : [])],
      ipAddresses: serves ? [loopback] : [],
      use,
      days: certificateLifeDays,
    });
    mkdirSync(dirname(files.key), { recursive: true, mode: 0o700 });
    write(files, issued);
    return files;
  }

  #isGood(files: CertificateFiles): boolean {
    if (!existsSync(files.certificate) || !existsSync(files.key)) return false;
    const certificate = new X509Certificate(readFileSync(files.certificate));
    const authority = new X509Certificate(readFileSync(this.caFile));
    const renewAtMs = Date.parse(certificate.validTo) - renewalDays * dayMs;
    return certificate.verify(authority.publicKey) && Date.now() < renewAtMs;
  }
}

/** The key first: a certificate whose key is missing or of another pair would be taken for good. */
function write(files: Pick<CertificateFiles, "certificate" | "key">, content: CertificateAndKey): void {
  writeWhole(files.key, content.key);
  writeWhole(files.certificate, content.certificate);
}
