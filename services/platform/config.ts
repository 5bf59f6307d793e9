import { readFileSync } from "node:fs";
import { z } from "zod";

/** A configuration value that stops the start; the message names variable, value read and remedy. */
export class InvalidConfiguration extends Error {
  override readonly name = "InvalidConfiguration";
}

/**
 * Reads one service's configuration from environment variables by its schema.
 * Values of variables whose name ends in PASSWORD or SEED are never repeated.
 *
 * @throws InvalidConfiguration naming every variable that is missing or malformed
 */
export function readConfig<Schema extends z.ZodType>(
  schema: Schema,
  env: NodeJS.ProcessEnv = process.env,
): z.output<Schema> {
  const result = schema.safeParse(env);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const variable = issue.path.join(".");
    const value = env[variable];
    const shown =
      value === undefined ? "nothing" : /PASSWORD|SEED/.test(variable) ? "(hidden)" : `"${value}"`;
    return `${variable}: read ${shown}; ${issue.message}`;
  });
  throw new InvalidConfiguration(`The configuration is not usable.\n  ${lines.join("\n  ")}`);
}

/** `host:port`, as a service listens or is reached. */
export const address = z
  .string()
  .regex(/^[^\s:]+:\d{1,5}$/, "expected host:port, for example 127.0.0.1:7001");

/** A file that can be read now; its contents, trimmed. */
export const fileContents = z
  .string()
  .min(1, "expected the path of a readable file")
  .transform((path, context) => {
    try {
      return readFileSync(path, "utf8").trim();
    } catch (error) {
      context.addIssue({
        code: "custom",
        message: `expected the path of a readable file (${String(error)})`,
      });
      return z.NEVER;
    }
  });

/** What every service is told. */
export const serviceEnvironment = z.object({
  QALQAN_REGION: z.string().regex(/^[a-z][a-z-]*$/, "expected a region's slug, or `capital`"),
  QALQAN_RELEASE: z.string().min(1, "expected the release, for example 0.1.0"),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
  TLS_CA_FILE: fileContents,
  TLS_CERT_FILE: fileContents,
  TLS_KEY_FILE: fileContents,
  IDENTITY_KEYS_FILE: fileContents,
  HTTP_LISTEN: address,
});

/** What a service needs in order to reach its NATS server. */
export const natsEnvironment = z.object({
  /** Of any node of a cluster; several are joined by commas, and whichever answers is taken. */
  NATS_URL: z
    .string()
    .regex(
      /^(tls|nats):\/\/[^\s:,]+:\d{1,5}(,[^\s:,]+:\d{1,5})*$/,
      "expected tls://host:port, or tls://host:port,host:port of several nodes",
    ),
  NATS_SEED_FILE: fileContents,
});

/** What a service needs in order to reach its PostgreSQL. */
export const databaseEnvironment = z.object({
  DATABASE_URL: z.string().regex(/^postgres:\/\//, "expected postgres://user@host:port/database"),
  DATABASE_PASSWORD_FILE: fileContents,
});

/** The three parts of mutual TLS, PEM. */
export interface TlsIdentity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export function tlsOf(
  config: Pick<z.output<typeof serviceEnvironment>, "TLS_CA_FILE" | "TLS_CERT_FILE" | "TLS_KEY_FILE">,
): TlsIdentity {
  return { ca: config.TLS_CA_FILE, cert: config.TLS_CERT_FILE, key: config.TLS_KEY_FILE };
}
