import { z } from "zod";
import { regionAccount } from "#proto/names.ts";
import type { Refused } from "#domain/refusals.ts";

/** nats-server's own form of the two events (server/events.go, DisconnectEventMsg). */
const eventSchema = z.object({
  client: z.object({
    acc: z.string().default(""),
    /** The public nkey; of somebody who was not let in, whatever he said. */
    user: z.string().default(""),
    kind: z.string().default(""),
  }),
  reason: z.string(),
});

/**
 * Why a line was ended for what it did (server/monitor.go, ClosedState). The
 * others are lines that broke, or that their own end closed.
 */
const offences: readonly string[] = [
  "Authentication Failure",
  "Authentication Timeout",
  "Bad Client Protocol Version",
  "Credentials Revoked",
  "Incorrect Port",
  "Maximum Connections Exceeded",
  "Maximum Control Line Exceeded",
  "Maximum Message Payload Exceeded",
  "Maximum Subscriptions Exceeded",
  "Message Header Violation",
  "Missing Account",
  "Parse Error",
  "Protocol Violation",
  "Wrong Gateway",
];

const keyPattern = /^U[A-Z2-7]{55}$/;

/**
 * What the audit is to keep of an event of the hub: somebody whom it did not
 * let in, or whose line it has ended, for a subject that is not his
 * (`Protocol Violation`), for his form, or since his key was revoked
 * (`Kicked`). Which subject it was stands in the hub's own log.
 *
 * @returns undefined: it is nothing of that kind, or no event
 */
export function readHubEvent(text: string): Refused | undefined {
  const event = eventSchema.safeParse(parsed(text)).data;
  if (event === undefined) return undefined;
  const { client, reason } = event;
  const isKicked = reason === "Kicked";
  if (!isKicked && !offences.includes(reason)) return undefined;
  const key = keyPattern.test(client.user) ? client.user : "";
  const region = regionAccount.regionOf(client.acc) ?? "";
  // A client of the capital that loses its connection is no region's deed.
  if (region === "" && client.kind !== "Leafnode" && reason !== "Authentication Failure") return undefined;
  return {
    actor: key === "" ? "unknown key" : key,
    region,
    what: isKicked ? "line-ended" : "refused-at-hub",
    detail: { reason, kind: client.kind.slice(0, 20) },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
