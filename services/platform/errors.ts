import { status } from "@grpc/grpc-js";
import { InvalidInput } from "#domain/invalid-input.ts";
import { Refusal } from "#domain/refusal.ts";

/** What every caller is told when something is not done; the same on every edge. */
export interface ErrorDetail {
  readonly code: string;
  readonly field: string;
  readonly value: string;
  readonly message: string;
  readonly remedy: string;
}

/** Trailer of a gRPC error that carries an ErrorDetail as JSON. */
export const errorTrailer = "qalqan-error-bin";

/** What another replica answered, to which a call was handed on: the caller is told that, unchanged. */
export class AnsweredElsewhere extends Error {
  override readonly name = "AnsweredElsewhere";
  readonly grpcStatus: status;
  readonly detail: ErrorDetail;

  constructor(grpcStatus: status, detail: ErrorDetail) {
    super(detail.message);
    this.grpcStatus = grpcStatus;
    this.detail = detail;
  }
}

/** A value is repeated to its sender up to this length. */
const valueCharactersMax = 200;

const statusOfRefusal: Readonly<Record<string, status>> = {
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  "not-found": status.NOT_FOUND,
  "already-exists": status.ALREADY_EXISTS,
  conflict: status.FAILED_PRECONDITION,
  exhausted: status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
};

const httpStatusOf: Readonly<Record<number, number>> = {
  [status.INVALID_ARGUMENT]: 400,
  [status.UNAUTHENTICATED]: 401,
  [status.PERMISSION_DENIED]: 403,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.FAILED_PRECONDITION]: 409,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.UNAVAILABLE]: 503,
  [status.INTERNAL]: 500,
};

/** Database and stream errors after which the caller can try again without harm. */
const temporary =
  /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|Connection terminated|connection timeout|terminating connection|not queryable|timeout exceeded when trying to connect|Query read timeout|the database system is|57014|25P03|53100|53300|57P0[123]|08006|40P01|40001/i;

/** PostgreSQL: disk_full. What was to be written is not, and everything else goes on. */
const diskFull = "53100";

/** PostgreSQL takes no NUL in a text: whoever sent one is told so, wherever in the request it stood. */
const noCharacter = "22021";

export interface Translated {
  readonly grpcStatus: status;
  readonly httpStatus: number;
  readonly detail: ErrorDetail;
  /** Not the caller's doing: worth an error line in the log. */
  readonly internal: boolean;
}

/** Translates any thrown value once, at the edge. */
export function translateError(error: unknown): Translated {
  if (error instanceof InvalidInput) return translated(status.INVALID_ARGUMENT, detailOf(error), false);
  if (error instanceof Refusal) {
    return translated(statusOfRefusal[error.code] ?? status.FAILED_PRECONDITION, detailOf(error), false);
  }
  if (error instanceof AnsweredElsewhere) return translated(error.grpcStatus, error.detail, false);
  if (error instanceof Error && "code" in error && error.code === noCharacter) {
    return translated(
      status.INVALID_ARGUMENT,
      {
        code: "invalid-text",
        field: "",
        value: "",
        message: "a text of the request holds a NUL character",
        remedy: "send texts without it",
      },
      false,
    );
  }
  if (error instanceof Error && "code" in error && error.code === diskFull) {
    return translated(
      status.UNAVAILABLE,
      {
        code: "unavailable",
        field: "",
        value: "",
        message: "the disk of the database is full; nothing was written",
        remedy: "make room on it, then repeat the same request; what was accepted before is safe",
      },
      true,
    );
  }
  const text =
    error instanceof Error ? `${error.message} ${"code" in error ? String(error.code) : ""}` : String(error);
  if (temporary.test(text)) {
    return translated(
      status.UNAVAILABLE,
      {
        code: "unavailable",
        field: "",
        value: "",
        message: "a part that this needs does not answer now; nothing was written",
        remedy: "try again in a few seconds; the same request may be repeated without harm",
      },
      true,
    );
  }
  return translated(
    status.INTERNAL,
    {
      code: "internal",
      field: "",
      value: "",
      message: "this failed for a reason that is ours",
      remedy: "try again; when it goes on, give the time of this answer to a platform engineer",
    },
    true,
  );
}

function translated(grpcStatus: status, detail: ErrorDetail, internal: boolean): Translated {
  return { grpcStatus, httpStatus: httpStatusOf[grpcStatus] ?? 500, detail, internal };
}

function detailOf(error: InvalidInput | Refusal): ErrorDetail {
  const { code, field, value, message, remedy } = error;
  return {
    code,
    field,
    value: value.length > valueCharactersMax ? `${value.slice(0, valueCharactersMax)}…` : value,
    message,
    remedy,
  };
}
