import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { networks, privateNetworks } from "../blueprint/cluster.ts";
import { Problem } from "../problem.ts";

/** Where the capital keeps sealed segments for ten years: a bucket of an object storage, by the S3 interface. */
export const archiveSchema = z.strictObject({
  endpoint: z
    .url({ protocol: /^https$/, error: "must be an https:// address, for example https://s3.example" })
    .refine(
      (url) => new URL(url).pathname === "/",
      "must be host and port alone: the bucket has its own field",
    ),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be a name of a bucket, for example qalqan-evidence"),
  /** As the storage calls it; many that are one's own accept any. */
  region: z
    .string()
    .regex(/^[a-z0-9-]+$/, "must be a region of the storage, for example us-east-1")
    .default("us-east-1"),
  /** In front of the names of all objects. */
  prefix: z
    .string()
    .regex(
      /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/,
      "must be names with / between them, for example nation/one",
    )
    .optional(),
  /** Where the endpoint is: the capital may open connections to it there. */
  networks: networks.default(privateNetworks),
});

type ArchivePlace = Readonly<z.output<typeof archiveSchema>>;

/** The archive of a capital, as its manifests need it. */
export interface SiteArchive {
  /** As `ARCHIVE_URL` of coordination. */
  readonly url: string;
  readonly port: number;
  readonly networks: readonly string[];
  /** Two lines, id and secret of the access key. */
  readonly credentials: string;
  /** Certificates of the authority of the endpoint, PEM; undefined where those that Node knows vouch for it. */
  readonly authority: string | undefined;
}

export function siteArchive(
  { endpoint, bucket, region, prefix = "", networks: there }: ArchivePlace,
  credentials: string,
  authority: string | undefined,
): SiteArchive {
  const { origin, port } = new URL(endpoint);
  const url = `s3://${bucket}/${prefix}?${new URLSearchParams({ endpoint: origin, region }).toString()}`;
  return { url, port: port === "" ? 443 : Number(port), networks: there, credentials, authority };
}

/**
 * The access key with which the capital writes into the bucket.
 *
 * @throws Problem `archive-credentials-missing`, `archive-credentials-open`, `archive-credentials-invalid`
 */
export function readArchiveCredentials(file: string): string {
  const example = "two lines, id and secret of an access key that may put, get and list, and not delete";
  if (!existsSync(file))
    throw problem(
      "archive-credentials-missing",
      file,
      "there is no access key of the archive",
      `write ${example}`,
    );
  if ((statSync(file).mode & 0o077) !== 0) {
    const message = "others on this machine may read the access key of the archive";
    throw problem("archive-credentials-open", file, message, `chmod 600 ${file}`);
  }
  const lines = readFileSync(file, "utf8").trim().split("\n");
  if (lines.length !== 2 || lines.some((line) => line.trim() === ""))
    throw problem("archive-credentials-invalid", file, "this is no access key", `write ${example}`);
  return `${lines.map((line) => line.trim()).join("\n")}\n`;
}

/**
 * Certificates of a private authority, of which the certificate of the endpoint
 * is; undefined where there is no such file.
 *
 * @throws Problem `archive-authority-invalid`
 */
export function readArchiveAuthority(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, "utf8");
  const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  // Node would only warn of a file that it cannot use.
  if (certificates.length === 0 || !certificates.every(isAuthority))
    throw new Problem({
      code: "archive-authority-invalid",
      field: "archive-authority",
      value: file,
      message: "this is no certificate of an authority",
      remedy: "write the certificate that vouches for the archive's endpoint, PEM, without a key",
    });
  return `${certificates.join("\n")}\n`;
}

function isAuthority(certificate: string): boolean {
  try {
    return new X509Certificate(certificate).ca;
  } catch {
    return false;
  }
}

function problem(code: string, file: string, message: string, remedy: string): Problem {
  return new Problem({ code, field: "archive-credentials", value: file, message, remedy });
}
