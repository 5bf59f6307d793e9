import { z } from "zod";
import type { NatsConnection } from "#platform/nats.ts";
import { systemSubject } from "#proto/names.ts";
import { answerWaitMs } from "./config.ts";

/** What the server has said to a reload. */
export type Answer =
  | { readonly kind: "loaded" }
  /** It goes on with what it had loaded before. */
  | { readonly kind: "refused"; readonly words: string };

/** nats-server's own form of an answer to a request of the system account. */
const answerSchema = z.object({
  server: z.object({ id: z.string() }),
  error: z.object({ description: z.string() }).optional(),
});

/**
 * Asks the server of this connection, and no other of its cluster, to load its
 * configuration again.
 *
 * @throws while it does not answer
 */
export async function askToReload(connection: NatsConnection): Promise<Answer> {
  const id = connection.info?.server_id;
  if (id === undefined) throw new Error("not connected");
  const message = await connection.request(systemSubject.reload(id), undefined, {
    timeout: answerWaitMs,
  });
  const { server, error } = answerSchema.parse(JSON.parse(message.string()));
  if (server.id !== id) throw new Error(`${server.id} answered in place of ${id}`);
  return error === undefined ? { kind: "loaded" } : { kind: "refused", words: error.description };
}
