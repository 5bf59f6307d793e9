import { z } from "zod";
import {
  address,
  databaseEnvironment,
  fileContents,
  natsEnvironment,
  serviceEnvironment,
} from "#platform/config.ts";

const yesOrNo = z.enum(["true", "false"], "expected true or false").transform((text) => text === "true");

/** Whoever holds this advisory lock in the capital's database leads ("qalq" in ASCII). */
export const leaderLockKey = 0x71616c71;

/** It names the leader's session in PostgreSQL, which cuts longer names. */
const advertisedCharactersMax = 63;

/** What the capital's service is told by its environment. */
export const coordinationConfig = z.object({
  ...serviceEnvironment.shape,
  ...natsEnvironment.shape,
  ...databaseEnvironment.shape,
  GRPC_LISTEN: address,
  /** `host:port` under which the other replicas reach this one; they are this one's clients while it leads. */
  ADVERTISED_ADDRESS: address.max(advertisedCharactersMax, "expected at most 63 characters").optional(),
  /** JSON array of every region of the nation; read again when it changes. */
  REGIONS_FILE: z.string().min(1, "expected the path of the file that lists the regions"),
  /** Private key that the capital's seals are signed with: Ed25519, PKCS 8, PEM. */
  SIGNING_KEY_FILE: fileContents,
  /** JSON object of every site with its public signing keys, the current one last; read again when a key is not known. */
  SIGNING_KEYS_FILE: z
    .string()
    .min(1, "expected the path of the file with the public signing keys of all sites"),
  /** A region whose events wait longer than this for a seal, while it is heard, does not seal (s). */
  SEAL_MISSING_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(86_400, "expected a day at most, 86400")
    .default(60),
  /** Copies of each hub stream: 3 on a cluster of three. */
  HUB_REPLICAS: z.coerce.number().int().min(1).max(5).default(1),
  /** Rows of the national table that change before a snapshot is written again (domain/snapshot-chunks.ts). */
  SNAPSHOT_ROWS_MIN: z.coerce.number().int().min(1).default(50_000),
  /** Or messages of NATIONAL: a table reads so many in about a second. */
  SNAPSHOT_MESSAGES_MIN: z.coerce.number().int().min(1).default(10_000),
  /** How often the hub's streams are trimmed (ms), and what stays of each: so many messages, and hours. */
  TRIM_EVERY_MS: z.coerce.number().int().min(100).default(60_000),
  /** More than a crash of PostgreSQL takes back of the watermarks that it had not written yet. */
  KEPT_MESSAGES: z.coerce.number().int().min(1).default(10_000),
  /** Whoever was restored from a backup of the last days finds here what came after it. */
  KEPT_HOURS: z.coerce.number().min(0).default(72),
  /** Where sealed segments are archived (openStore); empty: nowhere. */
  ARCHIVE_URL: z.string().default(""),
  /** Two lines, id and secret of the access key, where the archive is a bucket; empty where it needs none. */
  ARCHIVE_CREDENTIALS_FILE: z.string().default(""),
  /** What has waited so long is archived, in however small a segment (s). */
  ARCHIVE_EVERY_SECONDS: z.coerce
    .number()
    .int()
    .min(0)
    .max(86_400, "expected a day at most, 86400")
    .default(3_600),
  /** Folder of the built console page; without it no page is served. */
  CONSOLE_DIRECTORY: z.string().min(1).optional(),
  /** The national figures are open to whoever reaches the loopback interface; else a bearer token is needed. */
  CONSOLE_OPEN_ON_LOOPBACK: yesOrNo.default(false),
});

export type CoordinationConfig = z.output<typeof coordinationConfig>;
