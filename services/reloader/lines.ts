import { z } from "zod";
import type { NatsConnection } from "#platform/nats.ts";
import { systemSubject } from "#proto/names.ts";
import { answerWaitMs } from "./config.ts";

/** Connections that are asked for at once; more than a node of the hub has. */
const connectionsMax = 10_000;

/** nats-server's own form of a connection: monitoring, `connz` with `auth`. */
const answerSchema = z.object({
  data: z.object({
    connections: z.array(
      z.object({
        cid: z.number(),
        kind: z.string().default(""),
        account: z.string().default(""),
        authorized_user: z.string().default(""),
      }),
    ),
  }),
});

/** A line that was ended, since its key opens nothing any more. */
export interface EndedLine {
  readonly account: string;
  readonly key: string;
}

/** Every public nkey of a user that a file of accounts names. */
export function keysIn(accounts: string): ReadonlySet<string> {
  return new Set(accounts.match(/\bU[A-Z2-7]{55}\b/g));
}

/**
 * Ends every line to the server of this connection whose key is not among those
 * that it has loaded: a reload alone leaves a leaf node connected with all that
 * it may (measured). The region's server tries again, and is refused.
 *
 * @param keys public nkeys of the accounts that the server has loaded
 * @throws while the server does not answer
 */
export async function endLinesWithout(
  connection: NatsConnection,
  keys: ReadonlySet<string>,
): Promise<EndedLine[]> {
  const server = connection.info?.server_id;
  if (server === undefined) throw new Error("not connected");
  const question = JSON.stringify({ auth: true, limit: connectionsMax });
  const answer = await connection.request(systemSubject.connections(server), question, {
    timeout: answerWaitMs,
  });
  const { connections } = answerSchema.parse(JSON.parse(answer.string())).data;
  const revoked = connections.filter(
    ({ kind, authorized_user: key }) => kind === "Leafnode" && !keys.has(key),
  );
  for (const { cid } of revoked) {
    await connection.request(systemSubject.kick(server), JSON.stringify({ cid }), { timeout: answerWaitMs });
  }
  return revoked.map(({ account, authorized_user: key }) => ({ account, key }));
}
