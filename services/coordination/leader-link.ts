import { Metadata, type CallOptions, type ClientReadableStream, type ServiceError } from "@grpc/grpc-js";
import { Refusal } from "#domain/refusal.ts";
import type { TlsIdentity } from "#platform/config.ts";
import { leaderAddress } from "#platform/database.ts";
import { AnsweredElsewhere, errorTrailer, type ErrorDetail } from "#platform/errors.ts";
import { channelCredentials, channelOptions, type UnaryMethod } from "#platform/grpc-client.ts";
import type { CallContext, Stream, Unary } from "#platform/grpc-server.ts";
import { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "./capital.ts";
import { leaderLockKey } from "./config.ts";

type StreamMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
) => ClientReadableStream<Response>;

/** Marks a call that a replica has handed on: it is handed on once at most. */
const handedOnMark = "qalqan-handed-on";
/** A caller who names no deadline waits so long for the leader (ms). */
const answerWaitMs = 30_000;

/**
 * The way from a replica that does not lead to the one that does. Only the
 * leader writes; whoever asks need not know which replica that is.
 */
export class LeaderLink {
  readonly #capital: Capital;
  readonly #tls: TlsIdentity;
  readonly #serverName: string;
  #open: { readonly address: string; readonly client: CoordinationClient } | undefined;

  /** @param serverName in the certificate of every replica, whatever address it has */
  constructor(capital: Capital, tls: TlsIdentity, serverName: string) {
    this.#capital = capital;
    this.#tls = tls;
    this.#serverName = serverName;
  }

  /**
   * A method that writes: carried out here where this process leads, else by
   * the leader, which verifies the caller's token itself. Its answer, or what
   * it says instead, comes back unchanged.
   */
  written<Request, Response>(
    handle: Unary<Request, Response>,
    method: (leader: CoordinationClient) => UnaryMethod<Request, Response>,
  ): Unary<Request, Response> {
    return async (request, context) => {
      const isHandedOn = context.metadata.get(handedOnMark).length > 0;
      if (this.#capital.leader !== undefined || isHandedOn) return handle(request, context);
      const client = await this.#leader();
      return handOn(method(client), request, context);
    };
  }

  /** The same for a method that answers with a stream. */
  streamed<Request, Response>(
    handle: Stream<Request, Response>,
    method: (leader: CoordinationClient) => StreamMethod<Request, Response>,
  ): Stream<Request, Response> {
    return (request, context) => {
      const isHandedOn = context.metadata.get(handedOnMark).length > 0;
      return this.#capital.leader !== undefined || isHandedOn
        ? handle(request, context)
        : this.#readFromLeader(method, request, context);
    };
  }

  async *#readFromLeader<Request, Response>(
    method: (leader: CoordinationClient) => StreamMethod<Request, Response>,
    request: Request,
    context: CallContext,
  ): AsyncGenerator<Response> {
    const call = method(await this.#leader())(request, handedOn(context), { deadline: deadlineOf(context) });
    context.signal.addEventListener("abort", () => call.cancel(), { once: true });
    const answers: AsyncIterable<Response> = call;
    try {
      yield* answers;
    } catch (error) {
      throw answered(error as ServiceError);
    }
  }

  close(): void {
    this.#open?.client.close();
    this.#open = undefined;
  }

  async #leader(): Promise<CoordinationClient> {
    const address = await leaderAddress(this.#capital.database, leaderLockKey);
    if (address === undefined) throw noLeader("no replica of coordination leads at this moment");
    if (this.#open?.address === address) return this.#open.client;
    // Calls under way on the line to a former leader end as they may; new ones go to the new one.
    this.close();
    const client = new CoordinationClient(address, channelCredentials(this.#tls), {
      ...channelOptions,
      "grpc.ssl_target_name_override": this.#serverName,
      "grpc.default_authority": this.#serverName,
    });
    this.#open = { address, client };
    return client;
  }
}

async function handOn<Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request,
  context: CallContext,
): Promise<Response> {
  const { signal } = context;
  const deadline = deadlineOf(context);
  return new Promise((resolve, reject) => {
    const call = method(request, handedOn(context), { deadline }, (error, response) => {
      signal.removeEventListener("abort", cancel);
      if (error === null) resolve(response);
      else reject(answered(error));
    });
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
  });
}

/** The caller's own token, and the mark. */
function handedOn({ metadata }: CallContext): Metadata {
  const marked = new Metadata();
  for (const token of metadata.get("authorization")) marked.add("authorization", token);
  marked.set(handedOnMark, "1");
  return marked;
}

const deadlineOf = ({ deadlineMs }: CallContext): number => Math.min(deadlineMs, Date.now() + answerWaitMs);

function answered(error: ServiceError): AnsweredElsewhere | Refusal {
  const trailer = error.metadata?.get(errorTrailer)[0];
  return trailer === undefined
    ? noLeader("the replica of coordination that leads does not answer")
    : new AnsweredElsewhere(error.code, JSON.parse(trailer.toString()) as ErrorDetail);
}

function noLeader(message: string): Refusal {
  return new Refusal({
    code: "unavailable",
    field: "server",
    value: "",
    message: `${message}, and only the leader writes`,
    remedy: "try again in a few seconds; the same request may be repeated without harm",
  });
}
