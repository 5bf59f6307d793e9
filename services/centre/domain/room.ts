import type { Event } from "#proto/qalqan/events/v1/events.ts";

/**
 * Whether a lane has room for what somebody wants to say, decided before it is
 * accepted: what was acknowledged must come through. The last part of the room
 * is kept for what protects people at once, so an import is refused long before
 * a stop switch is.
 */

/** What an event is to the lane that carries it, the least urgent first. */
export type Weight = "bulk" | "single" | "withdrawal";

/** Up to which share of its room a lane takes each. */
export const shareTaken: Readonly<Record<Weight, number>> = { bulk: 0.8, single: 0.9, withdrawal: 1 };

/** What is known of a lane (bytes). */
export interface LaneUsage {
  /** In the lane's stream, and the most that it takes. */
  readonly stored: number;
  readonly storedMax: number;
  /** Accepted, and not in the lane yet; and the most that may wait. */
  readonly waiting: number;
  readonly waitingMax: number;
}

/** How full a lane would be with so many bytes more; 1: it takes no more. */
export function shareWith(usage: LaneUsage, bytes: number): number {
  const { stored, storedMax, waiting, waitingMax } = usage;
  return Math.max((stored + waiting + bytes) / storedMax, (waiting + bytes) / waitingMax);
}

export function hasRoom(usage: LaneUsage, weight: Weight, bytes: number): boolean {
  return shareWith(usage, bytes) <= shareTaken[weight];
}

/** Whatever ends an enforcement is a withdrawal: it sets people free, or a machine at rest. */
export function weightOf(body: Event["body"]): Weight {
  switch (body?.$case) {
    case "directives": {
      const { directives } = body.value;
      if (directives.every(({ revoked }) => revoked)) return "withdrawal";
      return directives.some(({ batch, revision }) => batch !== "" && revision === 1) ? "bulk" : "single";
    }
    case "batchRevocation":
    case "regionStop":
    case "intelligenceWithdrawn":
      return "withdrawal";
    case "trunkSet":
      return body.value.mode === "enforce" ? "single" : "withdrawal";
    case "approval":
      return body.value.approved ? "single" : "withdrawal";
    case "intelligence":
      return "bulk";
    case "receipt":
    case "counters":
    case "heartbeat":
    case "epochOpened":
    case "seal":
    case "alarms":
    case undefined:
      return "bulk";
  }
}
