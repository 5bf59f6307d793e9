import type { CallOptions, ClientReadableStream, Metadata } from "@grpc/grpc-js";
import { call, read, type UnaryMethod } from "#platform/grpc-client.ts";

/** A list is read within this time; a service that hangs must not hang the command. */
const listWaitMs = 30_000;

type StreamMethod<Request, Response> = (
  request: Request,
  metadata?: Metadata,
  options?: Partial<CallOptions>,
) => ClientReadableStream<Response>;

/** The methods of a generated client that answer with a stream. */
type StreamsOf<Client> = {
  [
    Name in keyof Client as Client[Name] extends StreamMethod<infer _Q, infer _R> ? Name : never
  ]: Client[Name] extends StreamMethod<infer Request, infer Response>
    ? { request: Request; response: Response }
    : never;
};

/** Those with one answer. What such a call returns, a stream has as well, so streams are left out by name. */
type UnaryOf<Client> = {
  [
    Name in Exclude<keyof Client, keyof StreamsOf<Client>> as Client[Name] extends UnaryMethod<
      infer _Q,
      infer _R
    >
      ? Name
      : never
  ]: Client[Name] extends UnaryMethod<infer Request, infer Response>
    ? { request: Request; response: Response }
    : never;
};

/** One service as one person asks it. Everything it answers instead is thrown as a RemoteError. */
export class Remote<Client extends { close(): void }> {
  readonly client: Client;
  readonly metadata: Metadata;

  constructor(client: Client, metadata: Metadata) {
    this.client = client;
    this.metadata = metadata;
  }

  /** @throws RemoteError */
  async call<Name extends keyof UnaryOf<Client>>(
    name: Name,
    request: UnaryOf<Client>[Name]["request"],
    deadlineMs?: number,
  ): Promise<UnaryOf<Client>[Name]["response"]> {
    const method = this.#method(name) as UnaryMethod<typeof request, UnaryOf<Client>[Name]["response"]>;
    const metadata = this.metadata;
    return call(method, request, deadlineMs === undefined ? { metadata } : { metadata, deadlineMs });
  }

  /**
   * Leaving the loop, or the signal, ends the stream; without a signal it is a
   * list, and fails after 30 s.
   *
   * @throws RemoteError
   */
  async *read<Name extends keyof StreamsOf<Client>>(
    name: Name,
    request: StreamsOf<Client>[Name]["request"],
    signal?: AbortSignal,
  ): AsyncGenerator<StreamsOf<Client>[Name]["response"]> {
    const method = this.#method(name) as StreamMethod<typeof request, StreamsOf<Client>[Name]["response"]>;
    const options = signal === undefined ? { deadline: Date.now() + listWaitMs } : {};
    const stream = method(request, this.metadata, options);
    signal?.addEventListener("abort", () => stream.cancel(), { once: true });
    try {
      yield* read(stream);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  #method(name: PropertyKey): unknown {
    const method = (this.client as Record<PropertyKey, unknown>)[name];
    return (method as () => unknown).bind(this.client);
  }
}
