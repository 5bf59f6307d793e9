import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { writeDurably } from "../keys/durable-file.ts";
import { Problem } from "../problem.ts";

/** What a container runs is named by content: `registry/name@sha256:…` never changes its meaning (OCI image spec, digests). */
const imageReference = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}$/,
    "must be an image by digest, for example registry.example/qalqan@sha256:<64 hexadecimal digits>",
  );

export const releaseSchema = z.strictObject({
  /** What the services say of themselves (`QALQAN_RELEASE`), for example 0.1.0. */
  version: z.string().regex(/^[0-9A-Za-z][0-9A-Za-z.+-]*$/, "must be a version, for example 0.1.0"),
  images: z.strictObject({ qalqan: imageReference, nats: imageReference, postgres: imageReference }),
});

/** What the programs roll out: written by `qalqan image`, kept outside git. */
export type Release = Readonly<z.output<typeof releaseSchema>>;
export type ImageName = keyof Release["images"];

const releaseMode = 0o644;

/** Stands for a release where only the shape counts: golden manifests and parity. */
export const placeholderRelease: Release = {
  version: "0.0.0-placeholder",
  images: {
    qalqan: `registry.invalid/qalqan@sha256:${"0".repeat(64)}`,
    nats: `registry.invalid/nats@sha256:${"1".repeat(64)}`,
    postgres: `registry.invalid/postgres@sha256:${"2".repeat(64)}`,
  },
};

/** @throws Problem `release-missing`, `release-invalid` */
export function readRelease(file: string): Release {
  if (!existsSync(file)) {
    throw new Problem({
      code: "release-missing",
      field: "release",
      value: file,
      message: `there is no release file ${file}`,
      remedy: "make one with `npx qalqan image --repository REGISTRY/NAME`",
    });
  }
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw invalid(file, "release", error instanceof Error ? error.message : String(error));
  }
  const result = releaseSchema.safeParse(document);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(file, issue?.path.join(".") ?? "release", issue?.message ?? "");
}

/** The file holds this release or the one before, never half of one. */
export function writeRelease(file: string, release: Release): void {
  mkdirSync(dirname(file), { recursive: true });
  writeDurably(file, `${JSON.stringify(checkRelease(release), undefined, 2)}\n`, releaseMode);
}

/**
 * A release from what somebody has asked for.
 *
 * @throws Problem `release-invalid` naming what was given wrongly: `version`, `nats` …
 */
export function checkRelease(release: Release): Release {
  const result = releaseSchema.safeParse(release);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = String(issue?.path.at(-1) ?? "release");
  throw new Problem({
    code: "release-invalid",
    field,
    value: field === "version" ? release.version : (release.images[field as ImageName] ?? ""),
    message: `${field} ${issue?.message ?? "cannot be used"}`,
    remedy: "correct it; the digest of an upstream image is on its page in the registry",
  });
}

function invalid(file: string, field: string, why: string): Problem {
  return new Problem({
    code: "release-invalid",
    field,
    value: file,
    message: `the release file ${file} cannot be used: ${field}: ${why}`,
    remedy: "write it again with `npx qalqan image --repository REGISTRY/NAME`",
  });
}
