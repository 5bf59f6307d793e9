import type { NatsConnection } from "#platform/nats.ts";

/**
 * The two accounts of the region's server that replication stands between. The
 * hub is heard and answered in `line` alone, so that no other key of the region
 * reaches it, not even by a reply subject.
 */
export interface Ends {
  /** The region's own streams. */
  readonly region: NatsConnection;
  /** The leaf node to the hub. */
  readonly line: NatsConnection;
}
