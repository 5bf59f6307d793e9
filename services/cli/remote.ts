import type {
  CallOptions,
  ClientDuplexStream,
  ClientReadableStream,
  ClientUnaryCall,
  Metadata,
  ServiceError,
} from "@grpc/grpc-js";
import { call, read } from "#platform/grpc-client.ts";

type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

type StreamMethod<Request, Response> = (
  request: Request,
  metadata?: Metadata,
  options?: Partial<CallOptions>,
) => ClientReadableStream<Response>;

type DuplexMethod<Request, Response> = (
  metadata: Metadata,
  options?: Partial<CallOptions>,
) => ClientDuplexStream<Request, Response>;

/** The methods of a generated client, by what they are: a request and one answer, or a stream of answers. */
type UnaryOf<Client> = {
  [
    Name in keyof Client as Client[Name] extends UnaryMethod<infer _Q, infer _R> ? Name : never
  ]: Client[Name] extends UnaryMethod<infer Request, infer Response>
    ? { request: Request; response: Response }
    : never;
};
type StreamsOf<Client> = {
  [
    Name in keyof Client as Client[Name] extends StreamMethod<infer _Q, infer _R>
      ? Client[Name] extends UnaryMethod<infer _Q2, infer _R2>
        ? never
        : Name
      : never
  ]: Client[Name] extends StreamMethod<infer Request, infer Response>
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
    const method = this.#method<UnaryMethod<typeof request, UnaryOf<Client>[Name]["response"]>>(name);
    const metadata = this.metadata;
    return call(method, request, deadlineMs === undefined ? { metadata } : { metadata, deadlineMs });
  }

  /** Leaving the loop, or the signal, ends the stream. @throws RemoteError */
  async *read<Name extends keyof StreamsOf<Client>>(
    name: Name,
    request: StreamsOf<Client>[Name]["request"],
    signal?: AbortSignal,
  ): AsyncGenerator<StreamsOf<Client>[Name]["response"]> {
    const method = this.#method<StreamMethod<typeof request, StreamsOf<Client>[Name]["response"]>>(name);
    const stream = method(request, this.metadata);
    signal?.addEventListener("abort", () => stream.cancel(), { once: true });
    try {
      yield* read(stream);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /** Opens a method that streams both ways. */
  open<Request, Response>(method: DuplexMethod<Request, Response>): ClientDuplexStream<Request, Response> {
    return method.call(this.client, this.metadata);
  }

  #method<Method extends (...parameters: never[]) => unknown>(name: PropertyKey): Method {
    const method: unknown = (this.client as Record<PropertyKey, unknown>)[name];
    return (method as (...parameters: never[]) => unknown).bind(this.client) as Method;
  }
}
