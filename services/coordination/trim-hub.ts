import type { NatsConnection } from "#platform/nats.ts";
import { trimStream } from "#platform/trim.ts";
import type { Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";

interface HubParts {
  readonly connection: NatsConnection;
  readonly database: Database;
  readonly lead: Lead;
}

/**
 * Lets go of messages of a stream of the hub, and of none where it is undefined.
 * A store that was put back while this process stood still may need again
 * what it was about to let go of.
 *
 * @throws LeaderReplaced
 */
export async function trimHub(
  { connection, database, lead }: HubParts,
  stream: string,
  upTo: number | undefined,
): Promise<void> {
  if (upTo === undefined) return;
  await lead.assertStill(database);
  await trimStream(connection, stream, upTo);
}
