export type LocalRunErrorCode =
  | "already-running"
  | "not-running"
  | "invalid-ports"
  | "port-taken"
  | "tool-missing"
  | "disk-full"
  | "data-folder"
  | "unknown-region"
  | "unknown-service"
  | "wrong-state"
  | "not-restorable"
  | "service-failed";

/** The local run cannot do what was asked; one clear message with field, value and remedy. */
export class LocalRunError extends Error {
  override readonly name = "LocalRunError";
  readonly code: LocalRunErrorCode;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(detail: {
    readonly code: LocalRunErrorCode;
    readonly field: string;
    readonly value: string;
    readonly message: string;
    readonly remedy: string;
  }) {
    super(detail.message);
    this.code = detail.code;
    this.field = detail.field;
    this.value = detail.value;
    this.remedy = detail.remedy;
  }
}

/** Code of an error of the operating system (`ENOSPC`, `EADDRINUSE` ...); empty for any other. */
export function systemCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Says that the disk is full where an error of the operating system means that; any other stays as it is. */
export function translated(error: unknown, folder: string): unknown {
  return systemCode(error) === "ENOSPC" ? diskFull(folder, 0) : error;
}

export function diskFull(folder: string, freeBytes: number): LocalRunError {
  const mebibytes = Math.floor(freeBytes / 1024 ** 2);
  return new LocalRunError({
    code: "disk-full",
    field: "data",
    value: folder,
    message: `the disk of ${folder} has only ${mebibytes} MiB left`,
    remedy: "free at least 500 MiB there, or start with --data on another disk",
  });
}

export function unknownRegion(value: string, known: readonly string[]): LocalRunError {
  return new LocalRunError({
    code: "unknown-region",
    field: "region",
    value,
    message: `there is no region ${value} here`,
    remedy: `one of: ${known.join(", ")}`,
  });
}
