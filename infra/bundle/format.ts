import { z } from "zod";
import { releaseSchema } from "../deployment/release.ts";

/** What a bundle ends with: the checksums of all that is before them, and the signature over their bytes. */
export const checksumsName = "checksums.json";
export const signatureName = "checksums.sig";

/** More than a bundle ever has (6 000 files in 0.4 GB); beyond, an archive is not read on. */
export const filesMax = 200_000;
export const checksumsBytesMax = 64 << 20;

const checksum = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().nonnegative(),
  /** Only where it is so. */
  executable: z.literal(true).optional(),
});

export const checksumsSchema = z.strictObject({
  format: z.literal("qalqan-bundle-1"),
  release: releaseSchema,
  /** By path, in the order of the archive. */
  files: z.record(z.string(), checksum),
});

export type Checksums = z.output<typeof checksumsSchema>;
export type Checksum = z.output<typeof checksum>;

/** Below the folder that a bundle is unpacked in, whatever unpacks it. */
export function staysInFolder(path: string): boolean {
  return (
    path !== "" &&
    !/[\\\0]/.test(path) &&
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}
