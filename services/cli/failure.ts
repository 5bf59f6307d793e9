import { CommanderError } from "commander";
import { InvalidInput } from "#domain/invalid-input.ts";
import type { ErrorDetail } from "#platform/errors.ts";

/** What went wrong, and how the process ends: 1 failed, 2 wrong use. */
export interface Failure {
  readonly exitCode: 1 | 2;
  readonly detail: ErrorDetail;
}

/** The command line was used wrongly; nothing was asked of any service. */
export class WrongUse extends Error implements ErrorDetail {
  override readonly name = "WrongUse";
  readonly code = "wrong-use";
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(detail: Omit<ErrorDetail, "code">) {
    super(detail.message);
    this.field = detail.field;
    this.value = detail.value;
    this.remedy = detail.remedy;
  }
}

/** The command was understood, and could not be done. */
export class CommandFailed extends Error implements ErrorDetail {
  override readonly name = "CommandFailed";
  readonly code: string;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(detail: ErrorDetail) {
    super(detail.message);
    this.code = detail.code;
    this.field = detail.field;
    this.value = detail.value;
    this.remedy = detail.remedy;
  }
}

/**
 * Translates whatever a command threw, once.
 *
 * @param usage the command that was meant, for the remedy: `qalqan directive issue`
 */
export function failureOf(error: unknown, usage: string): Failure {
  if (error instanceof CommanderError) return { exitCode: 2, detail: detailOfCommander(error, usage) };
  // Bad input that a service was sent is a RemoteError; this one was seen here, before anything was asked.
  if (error instanceof WrongUse || error instanceof InvalidInput)
    return { exitCode: 2, detail: detailOf(error) };
  if (isDetailed(error)) return { exitCode: 1, detail: detailOf(error) };
  return {
    exitCode: 1,
    detail: {
      code: systemCode(error) ?? "internal",
      field: "",
      value: "",
      message: error instanceof Error ? error.message : String(error),
      remedy: "see `qalqan status`, and the logs in the data folder",
    },
  };
}

/** A service gave no answer: it may be on its way back. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    (error.code === "unavailable" || error.code === "deadline-exceeded")
  );
}

/** Lines for a person: what, which field, what to do. */
export function describeFailure({ detail }: Failure): string {
  const lines = [`error: ${detail.message}`];
  if (detail.field !== "")
    lines.push(`  ${detail.field}: ${detail.value === "" ? "(nothing)" : detail.value}`);
  if (detail.remedy !== "") lines.push(`  what to do: ${detail.remedy}`);
  return `${lines.join("\n")}\n`;
}

/** The typed errors of every layer carry at least a code and a remedy. */
function isDetailed(
  error: unknown,
): error is Error & Pick<ErrorDetail, "code" | "remedy"> & Partial<ErrorDetail> {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    "remedy" in error &&
    typeof error.remedy === "string"
  );
}

function detailOf(error: Error & Pick<ErrorDetail, "code" | "remedy"> & Partial<ErrorDetail>): ErrorDetail {
  const { code, field = "", value = "", message, remedy } = error;
  return { code, field, value, message, remedy };
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code.toLowerCase()
    : undefined;
}

/** Commander names the option or argument within its sentence alone. */
function detailOfCommander(error: CommanderError, usage: string): ErrorDetail {
  if (error.code === "commander.help") {
    return {
      code: "wrong-use",
      field: "command",
      value: "",
      message: "a command is missing",
      remedy: `see \`${usage} --help\``,
    };
  }
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const remedy = `see \`${usage} --help\``;
  const unknownCommand = /^unknown command '(.*)'$/.exec(first)?.[1];
  if (unknownCommand !== undefined) {
    const message = "this command is not known";
    return {
      code: "wrong-use",
      field: "command",
      value: unknownCommand,
      message,
      remedy: joined(hintOf(rest), remedy),
    };
  }
  const quoted = /'([^']+)'/.exec(first)?.[1] ?? "";
  const field = /^-{1,2}[a-z-]+|(?<=, )--[a-z-]+/.exec(quoted)?.[0] ?? quoted;
  const value = /argument '([^']*)' is invalid/.exec(first)?.[1] ?? "";
  return {
    code: "wrong-use",
    field: field.replace(/^-+/, ""),
    value,
    message: first,
    remedy: joined(hintOf(rest), remedy),
  };
}

/** Commander's own guess: `(Did you mean status?)`. */
function hintOf(lines: readonly string[]): string {
  return lines.map((line) => line.replace(/^\((.*)\)$/, "$1")).join(" ");
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
