import { z } from "zod";
import type { SealingKey, SealKeys } from "./seal.ts";
import { issueOf } from "./signing-keys.ts";
import { capital } from "./vocabulary.ts";

/**
 * The file of exported evidence (architecture.md, "Evidence"): one JSON
 * document that needs nothing beside it but public keys. Bytes are base64.
 * There is one way to write a document down: whatever is changed in the text,
 * it is another document, or none.
 */
const evidenceFormat = "qalqan-evidence";
const evidenceVersion = 1;

/** Most messages in a file; more would be no evidence about one directive. */
export const evidenceItemsMax = 5_000;
/** Seals between the first and the last that a file needs of one stream, up to which it has them all. */
export const chainSealsMax = 2_000;

/** The last figure has bits that mean nothing: of several ways to write the same bytes one alone is taken. */
const base64 = z
  .base64()
  .refine((text) => Buffer.from(text, "base64").toString("base64") === text, "expected canonical base64");
const sequence = z.int().nonnegative();
const stream = { site: z.string(), stream: z.string(), epoch: z.int().positive() };

const itemSchema = z.strictObject({
  ...stream,
  sequence,
  /** The message as it stands in its stream. */
  bytes: base64,
  /** `last` of the seal that covers it; 0: none did when the file was made. */
  seal: sequence,
  /** From the message to the root of that seal (RFC 9162, 2.1.3). */
  path: z.array(base64),
});

const sealSchema = z.strictObject({
  ...stream,
  first: sequence,
  last: sequence,
  previous: base64,
  root: base64,
  atMs: z.int(),
  keyId: z.string(),
  signature: base64,
});

const chainSchema = z.strictObject({
  ...stream,
  /** `first` and `last` of the first and of the last seal in the file. */
  from: sequence,
  to: sequence,
  /** Every seal between them is in the file. */
  linked: z.boolean(),
});

const contentSchema = z.strictObject({
  format: z.literal(evidenceFormat),
  version: z.literal(evidenceVersion),
  directive: z.string(),
  /** Regions of the nation when the file was made. */
  regions: z.array(z.string()),
  exportedAtMs: z.int(),
  /** Subject of the token of who asked for it. */
  exportedBy: z.string(),
  release: z.string(),
  /** By site, stream, epoch and sequence. */
  items: z.array(itemSchema).max(evidenceItemsMax),
  /** By site, stream, epoch and sequence. */
  seals: z.array(sealSchema),
  chains: z.array(chainSchema),
});

const documentSchema = contentSchema.extend({
  signature: z.strictObject({ keyId: z.string(), value: base64 }),
});

export type EvidenceItem = z.output<typeof itemSchema>;
export type EvidenceSeal = z.output<typeof sealSchema>;
export type EvidenceChain = z.output<typeof chainSchema>;
export type EvidenceContent = Omit<z.output<typeof contentSchema>, "format" | "version">;
export type EvidenceDocument = z.output<typeof documentSchema>;

/** The text is no evidence: what is wrong with it, in words. */
export class NoEvidence extends Error {
  override readonly name = "NoEvidence";
}

const textOf = (content: object): string => `${JSON.stringify(content, undefined, 1)}\n`;

/** What the capital signs: a domain of its own in front, so that it can be taken for nothing else. */
const signedBytes = (content: object): Buffer => Buffer.from(`qalqan evidence 1\n${textOf(content)}`);

/** Writes a document down, signed by the capital: that says that this is all which it gave out. */
export function evidenceText(content: EvidenceContent, key: SealingKey): string {
  // The schema puts the fields into their one order.
  const unsigned = contentSchema.parse({ format: evidenceFormat, version: evidenceVersion, ...content });
  const value = Buffer.from(key.signBytes(signedBytes(unsigned))).toString("base64");
  return textOf({ ...unsigned, signature: { keyId: key.keyId, value } });
}

/** @throws NoEvidence where the text is not exactly how a document is written down */
export function parseEvidence(text: string): EvidenceDocument {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    throw new NoEvidence(`it is no JSON: ${String(error)}`);
  }
  const parsed = documentSchema.safeParse(given);
  if (!parsed.success) throw new NoEvidence(`it has not the form of one: ${issueOf(parsed.error)}`);
  if (textOf(parsed.data) !== text)
    throw new NoEvidence("it is not written as it was exported: a byte of it was changed");
  return parsed.data;
}

/** Whether the capital signed this document; undefined: its key is not among the keys. */
export function isSignedByCapital(
  { signature, ...content }: EvidenceDocument,
  keys: SealKeys,
): boolean | undefined {
  return keys.verify(capital, signature.keyId, signedBytes(content), Buffer.from(signature.value, "base64"));
}

/** The order of items and of seals in a document. */
export function compareStreams(
  left: { readonly site: string; readonly stream: string; readonly epoch: number },
  right: { readonly site: string; readonly stream: string; readonly epoch: number },
): number {
  if (left.site !== right.site) return left.site < right.site ? -1 : 1;
  if (left.stream !== right.stream) return left.stream < right.stream ? -1 : 1;
  return left.epoch - right.epoch;
}
