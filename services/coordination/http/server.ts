import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { InvalidInput } from "#domain/invalid-input.ts";
import { translateError } from "#platform/errors.ts";
import type { TokenVerifier } from "#platform/identity.ts";
import type { Log } from "#platform/log.ts";
import { answerProbe, splitAddress, type Readiness } from "#platform/probes.ts";
import type { Capital } from "../capital.ts";
import { serveConsole } from "./console-files.ts";
import { NationEvents } from "./events.ts";
import { statisticsJson, statusJson } from "./nation-view.ts";

const bodyBytesMax = 64 * 1024;
const hourMs = 3_600_000;

export interface HttpSettings {
  readonly listen: string;
  readonly consoleDirectory: string | undefined;
  /** Requests from this machine read the national figures without a token. */
  readonly openOnLoopback: boolean;
}

/** Probes, the national figures as JSON and as a stream, and the console page. */
export async function serveHttp(
  settings: HttpSettings,
  capital: Capital,
  verify: TokenVerifier,
  readiness: () => Readiness,
  log: Log,
  signal: AbortSignal,
): Promise<FastifyInstance> {
  const server = fastify({ bodyLimit: bodyBytesMax });
  // Before the routes: those registered later inherit it.
  server.setErrorHandler((error, request, reply) => answerProblem(error, request, reply, log));
  for (const path of ["/live", "/ready"]) {
    server.get(path, async (_, reply) => {
      const answer = answerProbe(path, readiness);
      return reply
        .status(answer?.status ?? 404)
        .type("application/json")
        .send(answer?.body ?? "");
    });
  }
  const authorise = async (request: FastifyRequest): Promise<void> => {
    if (settings.openOnLoopback && isAtThisMachine(request)) return;
    await verify(request.headers.authorization);
  };
  const events = new NationEvents(capital, log, signal);
  await server.register(async (national) => {
    national.addHook("onRequest", authorise);
    national.get("/v1/status", async () => statusJson(capital));
    const statistics = async ({ query }: FastifyRequest) => {
      const { region, sinceMs } = parseQuery(query);
      return statisticsJson(await capital.statistics(region, sinceMs));
    };
    national.get("/v1/statistics", statistics);
    national.get("/v1/events", (request, reply) => events.send(request, reply));
  });
  if (settings.consoleDirectory !== undefined) serveConsole(server, settings.consoleDirectory);
  const { host, port } = splitAddress(settings.listen);
  await server.listen({ host, port });
  return server;
}

/**
 * Asked by this machine, under a name of its own: a foreign page that had its name point here (DNS rebinding),
 * and a proxy of this machine that passes on what others ask, name another host.
 */
function isAtThisMachine(request: FastifyRequest): boolean {
  const host = request.hostname.replace(/^\[(.*)\]$/u, "$1");
  return isLoopback(request.ip) && (host === "localhost" || isLoopback(host));
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/u.test(address);
}

function parseQuery(query: unknown): { region: string; sinceMs: number } {
  const given = query as Readonly<Record<string, unknown>>;
  const region = typeof given["region"] === "string" ? given["region"] : "";
  const since = given["sinceMs"];
  if (since === undefined) return { region, sinceMs: Date.now() - hourMs };
  const sinceMs = Number(since);
  if (Number.isSafeInteger(sinceMs) && sinceMs >= 0 && !region.includes("\0")) return { region, sinceMs };
  throw new InvalidInput({
    code: "invalid-time",
    field: "sinceMs",
    value: JSON.stringify(since),
    message: "is not a time",
    remedy: "Give milliseconds since 1970, for example 1767225600000.",
  });
}

/** Problem details (RFC 9457) with the fields that every edge gives. */
async function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log) {
  const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : undefined;
  if (status !== undefined && status < 500) {
    const message = error instanceof Error ? error.message : "";
    return reply
      .status(status)
      .type("application/problem+json")
      .send({ status, code: "invalid-request", message });
  }
  const { httpStatus, detail, internal } = translateError(error);
  if (internal) log.error({ path: request.routeOptions.url, err: error }, "a request failed");
  return reply
    .status(httpStatus)
    .type("application/problem+json")
    .send({ status: httpStatus, ...detail });
}
