import {
  credentials,
  Metadata,
  status,
  type CallOptions,
  type ChannelCredentials,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ServiceError,
} from "@grpc/grpc-js";
import type { TlsIdentity } from "./config.ts";
import { errorTrailer, type ErrorDetail } from "./errors.ts";
import { messageBytesMax } from "./grpc-server.ts";

export const channelOptions = {
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
} as const;

export function channelCredentials(tls: TlsIdentity): ChannelCredentials {
  return credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert));
}

/** What a service answered instead of doing it, as it said it; or that it did not answer. */
export class RemoteError extends Error implements ErrorDetail {
  override readonly name = "RemoteError";
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

  /** No answer came: the same request may be repeated without harm. */
  get isOutage(): boolean {
    return this.code === "unavailable" || this.code === "deadline-exceeded";
  }
}

/** Metadata with a person's bearer token. */
export function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

/** A unary method of a generated client, bound to it. */
export type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/**
 * Calls a unary method and waits for its answer.
 *
 * @param deadlineMs from now
 * @throws RemoteError with the server's code, field, value and remedy
 */
export async function call<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: { metadata?: Metadata; deadlineMs?: number } = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method(
      request,
      options.metadata ?? new Metadata(),
      { deadline: Date.now() + (options.deadlineMs ?? 10_000) },
      (error, response) => (error === null ? resolve(response) : reject(remoteErrorOf(error))),
    );
  });
}

/** Reads a server stream; errors become RemoteErrors. Leaving the loop cancels the call. */
export async function* read<Response>(stream: ClientReadableStream<Response>): AsyncGenerator<Response> {
  try {
    for await (const response of stream) yield response as Response;
  } catch (error) {
    if (isServiceError(error)) throw remoteErrorOf(error);
    throw error;
  } finally {
    stream.cancel();
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}

/** The server's own detail where there is one. */
export function remoteErrorOf(error: ServiceError): RemoteError {
  const trailer = error.metadata?.get(errorTrailer)[0];
  if (trailer !== undefined) {
    return new RemoteError(JSON.parse(trailer.toString()) as ErrorDetail);
  }
  if (error.code === status.RESOURCE_EXHAUSTED) {
    return new RemoteError({
      code: "exhausted",
      field: "message",
      value: "",
      message: `the message is too large: ${error.details}`,
      remedy: `send at most ${messageBytesMax} bytes at once`,
    });
  }
  return new RemoteError({
    code: error.code === status.DEADLINE_EXCEEDED ? "deadline-exceeded" : "unavailable",
    field: "server",
    value: "",
    message: `no answer from the service: ${error.details || error.message}`,
    remedy: "see `qalqan status`; the same request may be repeated without harm",
  });
}
