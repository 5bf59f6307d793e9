import { parse } from "yaml";
import type { z } from "zod";

/** The first thing that is wrong with a document that people write. */
export interface Fault {
  /** Path of the field, with dots; empty: the document as a whole. */
  readonly field: string;
  /** As it is written there; `missing` where nothing is. */
  readonly value: string;
  /** What would be right. */
  readonly remedy: string;
}

/**
 * Reads a YAML document by its schema.
 *
 * @param fail makes the error of the document's kind
 * @throws whatever `fail` returns, for the first fault
 */
export function readYaml<Schema extends z.ZodType>(
  content: string,
  schema: Schema,
  fail: (fault: Fault) => Error,
): z.output<Schema> {
  let document: unknown;
  try {
    document = parse(content);
  } catch (error) {
    const remedy = error instanceof Error ? error.message : String(error);
    throw fail({ field: "", value: "not YAML", remedy });
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  throw fail(faultOf(result.error, document));
}

function faultOf(error: z.ZodError, document: unknown): Fault {
  const issue = error.issues[0];
  const unknownKeys = issue?.code === "unrecognized_keys" ? issue.keys : [];
  const path = [...(issue?.path ?? []), ...unknownKeys.slice(0, 1)].map(String);
  return {
    field: path.join("."),
    value: shown(document, path),
    remedy:
      unknownKeys.length > 0
        ? "remove it, or see regions/region.schema.json for its right name"
        : (issue?.message ?? "see regions/region.schema.json"),
  };
}

function shown(document: unknown, path: readonly string[]): string {
  let value: unknown = document;
  for (const key of path) {
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value === undefined ? "missing" : JSON.stringify(value);
}
