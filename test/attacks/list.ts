/** One attack with what a thief of a region has, and what came of it. Each id is a test of this folder. */
export interface Attack {
  readonly id: string;
  readonly tried: string;
  /** What the attacker holds. */
  readonly key: string;
  readonly outcome: string;
  /** What of it is seen, and where; or why nobody can see it. */
  readonly trace: string;
}

const leafKey = "leaf key and certificate of the region";
const token = "a person's token";
const hubTrace = "hub's log (subject), audit `refused-at-hub` (key, region, reason), alarm";
const laneTrace = "audit `refused` (stream, first sequence, count), alarm `refused-events`";

export const attacks: readonly Attack[] = [
  {
    id: "write-as-another",
    tried: "publish events of another region: up and urgent lane",
    key: leafKey,
    outcome: "the line is ended, nothing is stored",
    trace: hubTrace,
  },
  {
    id: "line-that-calls-itself-a-hub",
    tried: "say `is_hub`, so that the hub takes its own permissions for those of the other side",
    key: leafKey,
    outcome:
      "accounts hold where permissions do not: nothing is stored elsewhere, heard of others, or told the region",
    trace: "none: the account has no way to anybody, so nobody receives it",
  },
  {
    id: "listen-to-another",
    tried: "subscribe to what is for another region, by name and by wildcard",
    key: leafKey,
    outcome: "by name the line is ended; a wildcard hears what is for its own region alone",
    trace: `by name: ${hubTrace}; by wildcard none: the other account's messages never come there`,
  },
  {
    id: "read-anothers-stream",
    tried: "direct gets and information of streams of others, under the hub's own names",
    key: leafKey,
    outcome: "the line is ended",
    trace: hubTrace,
  },
  {
    id: "administer-the-hub",
    tried: "create, update, purge, delete streams; list them; ask the hub's domain",
    key: leafKey,
    outcome: "the line is ended, the streams are as before",
    trace: hubTrace,
  },
  {
    id: "consumers-across-accounts",
    tried: "create a consumer on NATIONAL, with a deliver subject in another region's lane",
    key: leafKey,
    outcome: "the line is ended, there is no consumer",
    trace: hubTrace,
  },
  {
    id: "reply-subject-over-the-line",
    tried: "ask the hub with another region's lane, or NATIONAL, as the place for the answer",
    key: leafKey,
    outcome: "the answer stays in the region's own account: nothing is stored elsewhere",
    trace: "none: an answer that goes nowhere is no error to the server",
  },
  {
    id: "speak-for-the-capital",
    tried: "publish a message of NATIONAL, or a heartbeat, to one's own region from outside",
    key: leafKey,
    outcome: "the line is ended, the region hears nothing",
    trace: hubTrace,
  },
  {
    id: "client-port-with-the-leaf-key",
    tried: "connect to the hub's port for clients",
    key: leafKey,
    outcome: "not let in",
    trace: "hub's log, audit `refused-at-hub`, alarm",
  },
  {
    id: "unknown-key",
    tried: "open a line with a key that the hub does not know (a revoked one is the same)",
    key: "certificate of the region, another key",
    outcome: "not let in",
    trace: "hub's log, audit `refused-at-hub` (the key), alarm",
  },
  {
    id: "oversized-message",
    tried: "a message above the largest payload (1 MiB)",
    key: leafKey,
    outcome: "the line is ended",
    trace: hubTrace,
  },
  {
    id: "append-twice",
    tried: "append what is stored already, as the message that it is",
    key: leafKey,
    outcome: "refused by the stream: wrong last sequence",
    trace: "none: a repeated append is what every lost answer looks like",
  },
  {
    id: "fill-the-stream",
    tried: "fill a lane at the hub until it is full",
    key: leafKey,
    outcome:
      "the stream refuses what is beyond its size and drops nothing; no other stream is smaller for it",
    trace: "the region's report of its streams: alarms `stream-nearly-full`, `stream-full`",
  },
  {
    id: "events-of-another",
    tried:
      "directives, approvals, receipts, heartbeats, counters, intelligence, revocations and alarms that name another region, in the own lane",
    key: leafKey,
    outcome: "refused; the other region's table, receipts and figures do not move",
    trace: laneTrace,
  },
  {
    id: "forged-receipt",
    tried: "say that another region enforces what it does not",
    key: leafKey,
    outcome: "refused; nobody is told",
    trace: laneTrace,
  },
  {
    id: "old-event",
    tried: "send an old directive again after it was revoked, and an old revision after a new one",
    key: leafKey,
    outcome: "changes nothing: revoked stays revoked, the higher revision stays",
    trace: "none: a repeated event is what a lane that is read twice looks like",
  },
  {
    id: "far-revision",
    tried: "a revision at the end of its range, which no later one could follow",
    key: leafKey,
    outcome:
      "more than 100 ahead is refused; the directive lives on, and a revocation ends it whatever its number",
    trace: laneTrace,
  },
  {
    id: "blind-override",
    tried: "override without the revision seen, and as an operator",
    key: leafKey,
    outcome: "rejected: `conflict`, `powers`",
    trace: "the decision itself, in NATIONAL and in the directive's story",
  },
  {
    id: "lying-clock",
    tried: "a term that begins in the future, an acceptance in the past, an end beyond the term",
    key: leafKey,
    outcome:
      "a term counts from when the hub heard of it at the latest: held or rejected; age decides nothing else",
    trace: "the decision itself",
  },
  {
    id: "future-figures",
    tried: "counters of a minute in the far future",
    key: leafKey,
    outcome: "refused",
    trace: laneTrace,
  },
  {
    id: "malformed-messages",
    tried:
      "no event, nested groups a million deep, a thousand and one directives, NULs and broken UTF-8 in every field, numbers at their ends",
    key: leafKey,
    outcome: "refused or harmless; coordination goes on, the other region is served",
    trace: laneTrace,
  },
  {
    id: "flood",
    tried: "a flood in the urgent lane",
    key: leafKey,
    outcome: "regions take turns: another one's directive is national long before the flood is read",
    trace: `${laneTrace}; the flood is a handful of lines`,
  },
  {
    id: "foreign-token",
    tried:
      "tokens of another role or region, expired, of another issuer, without a signature (`alg: none`), at the capital",
    key: token,
    outcome: "unauthenticated or forbidden, nothing is done",
    trace: "audit and alarm `refused-access`, by the replica that leads",
  },
  {
    id: "foreign-token-in-a-region",
    tried: "a token of another region, and one of another issuer, at a region's centre",
    key: token,
    outcome: "forbidden or unauthenticated, nothing is done",
    trace: "the region's audit and log, and alarm `refused-access` of that region at the capital",
  },
  {
    id: "national-in-ones-own-region",
    tried: "write NATIONAL into the copy of one's own region",
    key: "key of the region's replication",
    outcome: "possible: it is that region's own harm; its digest differs",
    trace: "state `diverged` on status and page, by its receipts",
  },
  {
    id: "reply-subject-in-ones-own-region",
    tried: "have the server write an answer under another producer's subject of the region",
    key: "key of a service of the region",
    outcome: "possible within the region (see ARCHITECTURE.md); it is never another region's",
    trace: "the producer of that name is unready and says why; the capital refuses the bytes: audit, alarm",
  },
];

export function attack(id: string): string {
  const found = attacks.find((each) => each.id === id);
  if (found === undefined) throw new RangeError(`the list has no attack ${id}`);
  return `${found.id}: ${found.tried} → ${found.outcome}`;
}
