import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { InvalidInput } from "#domain/invalid-input.ts";
import { Refusal } from "#domain/refusal.ts";
import { translateError, type ErrorDetail } from "#platform/errors.ts";
import type { Log } from "#platform/log.ts";
import { httpBodyBytesMax } from "../config.ts";

/** RFC 9457, with the platform's own fields beside. */
export interface Problem extends ErrorDetail {
  readonly type: string;
  readonly title: string;
  readonly status: number;
}

/** Answers any error as application/problem+json. */
export function answerProblem(log: Log) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const own = ownProblem(error);
    const { httpStatus, detail, internal } = own ?? { ...translateError(error), internal: true };
    if (own === undefined && internal && httpStatus === 500) {
      log.error({ method: request.method, route: request.routeOptions.url, err: error }, "a request failed");
    }
    return sendProblem(reply, httpStatus, detail);
  };
}

export function sendProblem(reply: FastifyReply, status: number, detail: ErrorDetail): FastifyReply {
  const problem: Problem = { type: "about:blank", title: detail.code, status, ...detail };
  return reply.code(status).type("application/problem+json").send(JSON.stringify(problem));
}

/** Errors of Fastify itself, and of the platform where the status needs no log line. */
function ownProblem(
  error: unknown,
): { httpStatus: number; detail: ErrorDetail; internal: boolean } | undefined {
  if (error instanceof InvalidInput || error instanceof Refusal) {
    const { httpStatus, detail } = translateError(error);
    return { httpStatus, detail, internal: false };
  }
  if (!isFastifyError(error)) return undefined;
  if (error.validation !== undefined)
    return { httpStatus: 400, detail: validationDetail(error), internal: false };
  const status = error.statusCode ?? 500;
  if (status >= 500) return undefined;
  return { httpStatus: status, detail: { ...requestDetail(error), message: error.message }, internal: false };
}

function isFastifyError(error: unknown): error is FastifyError {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code.startsWith("FST_")
  );
}

/** Names the field that the schema refuses. */
function validationDetail(error: FastifyError): ErrorDetail {
  const [issue] = error.validation ?? [];
  const parameters = issue?.params ?? {};
  const path = (issue?.instancePath ?? "").slice(1).replaceAll("/", ".");
  const unknown = parameters["additionalProperty"];
  const missing = parameters["missingProperty"];
  if (typeof unknown === "string") {
    const message = "is not a field of this request";
    return {
      code: "unknown-field",
      field: joined(path, unknown),
      value: "",
      message,
      remedy: "Leave it out; see /openapi.json.",
    };
  }
  if (typeof missing === "string") {
    const message = "is missing";
    return {
      code: "missing-field",
      field: joined(path, missing),
      value: "",
      message,
      remedy: "Give it; see /openapi.json.",
    };
  }
  return {
    code: "invalid-field",
    field: path === "" ? (error.validationContext ?? "body") : path,
    value: "",
    message: issue?.message ?? error.message,
    remedy: "See /openapi.json.",
  };
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function requestDetail(error: FastifyError): Omit<ErrorDetail, "message"> {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return {
        code: "body-too-large",
        field: "body",
        value: "",
        remedy: `Send at most ${httpBodyBytesMax} bytes; import a file by \`qalqan import\`.`,
      };
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return {
        code: "unsupported-media-type",
        field: "content-type",
        value: "",
        remedy: "Send application/json.",
      };
    default:
      return {
        code: "invalid-body",
        field: "body",
        value: "",
        remedy: "Send one JSON object; see /openapi.json.",
      };
  }
}
