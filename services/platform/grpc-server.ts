import {
  Metadata,
  Server,
  ServerCredentials,
  type status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { Refusal } from "#domain/refusal.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { TlsIdentity } from "./config.ts";
import { errorTrailer, translateError, type ErrorDetail } from "./errors.ts";
import type { TokenVerifier } from "./identity.ts";
import type { Log } from "./log.ts";
import { requireMessage, requireMessages, withMalformedMessages } from "./malformed-message.ts";

/** A message larger than this is refused before it is read (bytes). */
export const messageBytesMax = 4 * 1024 * 1024;

/** What a handler knows about its caller. */
export interface CallContext {
  /** The person of the bearer token. @throws Refusal `unauthenticated` */
  readonly person: () => Promise<Person>;
  /** Common name of the client's certificate, for example `screening.astana`. */
  readonly peer: string;
  /** Aborted when the client has gone or cancelled; that of a watch also when the service stops. */
  readonly signal: AbortSignal;
  /** What the caller sent along, its token too. */
  readonly metadata: Metadata;
  /** When the caller stops waiting (ms since 1970); Infinity: it did not say. */
  readonly deadlineMs: number;
}

/** A method with one answer. */
export type Unary<Request, Response> = (
  request: Request,
  context: CallContext,
) => Promise<Response> | Response;
export type Stream<Request, Response> = (request: Request, context: CallContext) => AsyncIterable<Response>;
type Duplex<Request, Response> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
) => AsyncIterable<Response>;

interface AnyCall {
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  getAuthContext(): { sslPeerCertificate?: { subject?: { CN?: string | string[] } } };
  on(event: "cancelled", listener: () => void): unknown;
}

/** Makes handlers of one server: they verify, translate errors, and log what is ours. */
export class Handlers {
  readonly #verify: TokenVerifier;
  readonly #log: Log;
  readonly #stopping: AbortSignal;

  /** @param stopping aborted when the service begins to stop */
  constructor(verify: TokenVerifier, log: Log, stopping: AbortSignal) {
    this.#verify = verify;
    this.#log = log;
    this.#stopping = stopping;
  }

  unary<Request, Response>(method: string, handle: Unary<Request, Response>) {
    return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
      void (async () => {
        try {
          callback(null, await handle(requireMessage(call.request), this.#context(call)));
        } catch (error) {
          callback(this.#grpcError(method, error));
        }
      })();
    };
  }

  serverStream<Request, Response>(method: string, handle: Stream<Request, Response>) {
    return (call: ServerWritableStream<Request, Response>): void => {
      void this.#pump(method, call, () => handle(requireMessage(call.request), this.#context(call)));
    };
  }

  /**
   * A stream without an end of its own. When the service stops, its client is
   * told `unavailable` and asks again, which brings it to another replica, or
   * to this one when it is back.
   */
  watch<Request, Response>(method: string, handle: Stream<Request, Response>) {
    const stopping = this.#stopping;
    return (call: ServerWritableStream<Request, Response>): void => {
      const context = this.#context(call, stopping);
      void this.#pump(method, call, async function* () {
        yield* handle(requireMessage(call.request), context);
        if (stopping.aborted) throw replicaStops();
      });
    };
  }

  duplex<Request, Response>(method: string, handle: Duplex<Request, Response>) {
    return (call: ServerDuplexStream<Request, Response>): void => {
      // A handler that leaves its requests early must not destroy the call: its error could not be answered.
      const requests: AsyncIterable<Request> = call.iterator({ destroyOnReturn: false });
      void this.#pump(method, call, () => handle(requireMessages(requests), this.#context(call)));
    };
  }

  async #pump<Request, Response>(
    method: string,
    call: ServerWritableStream<Request, Response> | ServerDuplexStream<Request, Response>,
    open: () => AsyncIterable<Response>,
  ): Promise<void> {
    let cancelled = false;
    call.on("cancelled", () => (cancelled = true));
    try {
      for await (const response of open()) {
        if (cancelled) return;
        if (!call.write(response)) await drained(call);
      }
      call.end();
    } catch (error) {
      if (!cancelled) call.emit("error", this.#grpcError(method, error));
    }
  }

  #context(call: AnyCall | ServerReadableStream<unknown, unknown>, stopping?: AbortSignal): CallContext {
    const abort = new AbortController();
    call.on("cancelled", () => abort.abort());
    return {
      person: () => this.#verify(call.metadata.get("authorization")[0]?.toString()),
      // Reading a certificate costs 0.1 ms, and few methods ask for it.
      get peer() {
        const name = call.getAuthContext().sslPeerCertificate?.subject?.CN;
        return typeof name === "string" ? name : "";
      },
      signal: stopping === undefined ? abort.signal : AbortSignal.any([abort.signal, stopping]),
      metadata: call.metadata,
      get deadlineMs() {
        return Number(call.getDeadline());
      },
    };
  }

  #grpcError(method: string, error: unknown) {
    const { detail, internal, grpcStatus } = translateError(error);
    if (internal) this.#log.error({ method, err: error }, "a call failed");
    return serviceError(grpcStatus, detail);
  }
}

function serviceError(code: status, detail: ErrorDetail) {
  const metadata = new Metadata();
  metadata.set(errorTrailer, Buffer.from(JSON.stringify(detail)));
  return { code, details: detail.message, metadata, name: detail.code, message: detail.message };
}

/** Ends a stream whose client goes on asking; what was written to it before goes out first. */
export function endBecauseOfStop(call: ServerDuplexStream<unknown, unknown>): void {
  const { grpcStatus, detail } = translateError(replicaStops());
  call.emit("error", serviceError(grpcStatus, detail));
}

function replicaStops(): Refusal {
  return new Refusal({
    code: "unavailable",
    field: "server",
    value: "",
    message: "this replica stops",
    remedy: "ask again at once: another replica answers, or this one when it is back",
  });
}

async function drained(call: {
  once(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = ["drain", "cancelled", "close"];
  for (const event of events) call.once(event, resolve);
  await promise;
  // A long stream drains often, and the listeners would pile up.
  for (const event of events) call.off(event, resolve);
}

/** Listens with mutual TLS: a client without a certificate of the authority is refused. */
export async function serveGrpc(
  listen: string,
  tls: TlsIdentity,
  services: readonly { definition: ServiceDefinition; implementation: UntypedServiceImplementation }[],
): Promise<Server> {
  const server = new Server({
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
  });
  for (const { definition, implementation } of services)
    server.addService(withMalformedMessages(definition), implementation);
  const credentials = ServerCredentials.createSsl(
    Buffer.from(tls.ca),
    [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }],
    true,
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(listen, credentials, (error) => (error === null ? resolve() : reject(error)));
  });
  return server;
}

/**
 * Tells clients to go elsewhere with new calls (GOAWAY), lets running calls end
 * for a while, then ends them.
 */
export async function stopGrpc(server: Server): Promise<void> {
  const drainWaitMs = 5_000;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, drainWaitMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
