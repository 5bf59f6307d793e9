import { pino, type Logger } from "pino";

export type Log = Logger;

/**
 * The structured log of one service. Lines carry ids, counts and region slugs;
 * never telephone numbers or names (domain.md, "What the law asks"). Errors are
 * made by others, so what they repeat of the data is left out here.
 */
export function createLog(
  service: string,
  region: string,
  level: string,
  destination?: { write(line: string): void },
): Log {
  const options = {
    level,
    base: { service, region },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: (error: unknown) => errorLine(error, causesMax), reason: masked, why: masked },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** Causes of causes that a line names. */
const causesMax = 3;

interface ErrorLine {
  readonly type: string;
  readonly message: unknown;
  readonly code?: string;
  readonly stack?: unknown;
  readonly causes?: readonly ErrorLine[];
}

/**
 * Name, message, code, stack and causes of an error, and no other field:
 * PostgreSQL repeats whole rows in `detail` and `where`, our own errors the
 * value in `value`.
 */
function errorLine(error: unknown, causesLeft: number): ErrorLine {
  if (!(error instanceof Error)) return { type: typeof error, message: masked(String(error)) };
  const { name, message, stack, cause } = error;
  const code = "code" in error && ["string", "number"].includes(typeof error.code) ? String(error.code) : "";
  const causes = [...(error instanceof AggregateError ? (error.errors as unknown[]) : []), cause].filter(
    (each) => each !== undefined,
  );
  return {
    type: name,
    message: masked(message),
    ...(code === "" ? {} : { code }),
    ...(stack === undefined ? {} : { stack: masked(stack) }),
    ...(causes.length === 0 || causesLeft === 0
      ? {}
      : { causes: causes.slice(0, causesMax).map((each) => errorLine(each, causesLeft - 1)) }),
  };
}

/** A text without anything that may be a telephone number: `+` and figures, or ten figures and more. */
function masked(text: unknown): unknown {
  return typeof text === "string"
    ? text.replaceAll(/\+\d{7,15}|(?<![\dA-Za-z])\d{10,15}(?![\dA-Za-z])/g, "…")
    : text;
}
