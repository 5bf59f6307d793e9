import { webcrypto } from "node:crypto";
import type { X509Certificate } from "@peculiar/x509";

export const dayMs = 24 * 3_600_000;
const authorityLifeDays = 3_650;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate, perhaps followed by those that lead to an authority, and the private key of the first; both PEM. */
export interface CertificateAndKey {
  readonly certificate: string;
  /** PKCS 8. */
  readonly key: string;
}

/** What a certificate proves: a workload serves and asks, a client only asks. */
export type CertificateUse = "workload" | "client";

export interface CertificateOrder {
  readonly commonName: string;
  /** Names and addresses under which the holder is reached. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly use: CertificateUse;
  /** How long it is good, from now on. */
  readonly days: number;
}

/** A certificate authority (P-256) that is good for ten years. */
export async function makeAuthority(commonName: string): Promise<CertificateAndKey> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: nameOf(commonName),
    ...lasting(authorityLifeDays),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      // One authority may stand below it: its successor, see `bridgeTo`.
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pemText(certificate), key: await privatePem(keys.privateKey) };
}

/** A certificate with a new key, signed by an authority. */
export async function issueCertificate(
  authority: CertificateAndKey,
  order: CertificateOrder,
): Promise<CertificateAndKey> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificate);
  const keys = await newKeys();
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: nameOf(order.commonName),
    issuer: issuer.subject,
    ...lasting(order.days),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await signingKeyOf(authority),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(order.use === "workload" ? [serverAuth, clientAuth] : [clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...order.dnsNames.map((value) => ({ type: "dns", value }) as const),
        ...order.ipAddresses.map((value) => ({ type: "ip", value }) as const),
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return { certificate: pemText(certificate), key: await privatePem(keys.privateKey) };
}

/**
 * The bridge from an authority to its successor: a certificate of the
 * successor's key, signed by the authority. Whoever shows it after his own is
 * believed by those too who trust the old authority alone (RFC 4210, 4.4:
 * "new with old"), so that trust need not change everywhere at one instant.
 *
 * @param successor certificate of the new authority, PEM
 * @returns PEM
 */
export async function bridgeTo(successor: string, authority: CertificateAndKey): Promise<string> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificate);
  const subject = new x509.X509Certificate(successor);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: subject.subject,
    issuer: issuer.subject,
    notBefore: subject.notBefore,
    notAfter: issuer.notAfter,
    signingAlgorithm: algorithm,
    publicKey: subject.publicKey,
    signingKey: await signingKeyOf(authority),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(subject.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return pemText(certificate);
}

/** Loaded only when a certificate has to be made: whoever finds good ones starts faster by it. */
async function loadX509() {
  // The library asks for a Reflect with metadata, and leaves it to its user to load one.
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

const nameOf = (commonName: string) => [{ CN: [commonName] }];

/** From yesterday on, since clocks differ. */
const lasting = (days: number) => ({
  notBefore: new Date(Date.now() - dayMs),
  notAfter: new Date(Date.now() + days * dayMs),
});

async function signingKeyOf({ key }: CertificateAndKey): Promise<webcrypto.CryptoKey> {
  const { PemConverter } = await loadX509();
  return webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(key), algorithm, false, ["sign"]);
}

/** RFC 5280, 4.1.2.2: positive, at most 20 octets. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return Buffer.from(bytes).toString("hex");
}

/** With a line end, so that several make one file. */
const pemText = (certificate: X509Certificate): string => `${certificate.toString("pem").trimEnd()}\n`;

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replaceAll(/(.{64})/g, "$1\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}
