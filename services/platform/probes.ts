import { createServer, type Server } from "node:http";

/** Begins `why` of a service that cannot go on by itself: what follows says what a person must do. */
export const waitsForPerson = "waits for a person: ";

/** What a service says of itself to whoever supervises it. */
export interface Readiness {
  readonly ready: boolean;
  /** Why not, or what state it is in; no personal data. */
  readonly why: string;
}

/**
 * Answers `/live` and `/ready`; undefined for any other path. `/ready` is 503
 * while the service must not be asked.
 */
export function answerProbe(
  path: string,
  readiness: () => Readiness,
): { status: number; body: string } | undefined {
  if (path === "/live") return { status: 200, body: JSON.stringify({ live: true }) };
  if (path !== "/ready") return undefined;
  const state = readiness();
  return { status: state.ready ? 200 : 503, body: JSON.stringify(state) };
}

/** A server with the probes alone, for services without an HTTP interface. */
export async function serveProbes(listen: string, readiness: () => Readiness): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = answerProbe(request.url ?? "", readiness) ?? {
      status: 404,
      body: JSON.stringify({ error: "only /live and /ready are answered here" }),
    };
    response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
  });
  const { host, port } = splitAddress(listen);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, host, resolve);
  });
  return server;
}

/** Takes `host:port` apart. */
export function splitAddress(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(":");
  return { host: listen.slice(0, colon), port: Number(listen.slice(colon + 1)) };
}
