import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { Problem } from "../problem.ts";

/** RFC 7517, 4 and 6: what a private or symmetric key has beside its public members. */
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/**
 * The public keys (JWKS) of the identity whose people are honoured, as text.
 *
 * @throws Problem `identity-keys-missing`, `identity-keys-invalid`, `identity-keys-private`
 */
export function readIdentityKeys(file: string): string {
  if (!existsSync(file)) {
    throw problem(
      "identity-keys-missing",
      file,
      `there are no public keys of the identity in ${file}`,
      "save what the identity provider gives under its jwks_uri: `curl --fail --output identity-keys.json https://…/jwks`",
    );
  }
  const content = readFileSync(file, "utf8");
  const keys = parse(content);
  if (keys === undefined) {
    throw problem(
      "identity-keys-invalid",
      file,
      `${file} is no set of keys (JWKS, RFC 7517)`,
      'it must look like {"keys":[{"kty":…}]}: save again what the identity provider gives under its jwks_uri',
    );
  }
  if (keys.some((key) => privateMembers.some((member) => member in key))) {
    throw problem(
      "identity-keys-private",
      file,
      `${file} has a private key of the identity`,
      "whoever reads it could act as anybody: keep the public members alone, and give the identity a new key",
    );
  }
  return content;
}

function parse(content: string): readonly Record<string, unknown>[] | undefined {
  try {
    return keySetSchema.parse(JSON.parse(content)).keys;
  } catch {
    return undefined;
  }
}

function problem(code: string, file: string, message: string, remedy: string): Problem {
  return new Problem({ code, field: "identity-keys", value: file, message, remedy });
}
