import { directiveOf, directives, approvalOf, idOf } from "#test/coordination/directives.ts";
import type { Directive, Event, Intelligence } from "#proto/qalqan/events/v1/events.ts";
import { Seal } from "#proto/qalqan/events/v1/sync.ts";

type Body = NonNullable<Event["body"]>;

/** Texts that a database, a terminal or a page could stumble over. */
const texts: readonly string[] = [
  "\0",
  "a\0b",
  "\ud800",
  "\u202e",
  "'; drop table audit; --",
  "<script>alert(1)</script>",
  "x".repeat(100_000),
  "__proto__",
];
const numbers: readonly number[] = [0, 1, 2_147_483_648, 4_294_967_295, Number.MAX_SAFE_INTEGER];

/** Events of a region, well formed but for one field each, which holds what nobody should write there. */
export function nastyEvents(region: string): Body[] {
  return [
    ...nastyDirectives(region),
    ...texts.flatMap((text, index) => nastyOthers(region, text, index)),
    ...numbers.flatMap((number, index) => nastyNumbers(region, number, index)),
  ];
}

function nastyDirectives(region: string): Body[] {
  const fields: readonly (keyof Directive)[] = [
    ...(["id", "target", "action", "scope", "basis", "reason", "author", "authorRole"] as const),
    ...(["batch", "revokedBy", "falseStopOf"] as const),
  ];
  const spoiled = fields.flatMap((field, at) =>
    texts.map((text, index) => directiveOf(region, 61_000 + at * 100 + index, { [field]: text })),
  );
  const lists = texts.map((text, index) =>
    directiveOf(region, 62_500 + index, { evidence: [text], missing: [text] }),
  );
  const times = numbers.map((number, index) =>
    directiveOf(region, 62_600 + index, { acceptedAtMs: number, expiresAtMs: number, termFromMs: number }),
  );
  return [...spoiled, ...lists, ...times].map((each) => directives(each));
}

function nastyOthers(region: string, text: string, index: number): Body[] {
  const piece: Intelligence = {
    ...{ id: idOf(region, 63_000 + index), revision: 1, kind: text, fieldsJson: text, audience: "all" },
    ...{ tlp: text, confidence: 1, source: text, author: text, createdAtMs: 1, validUntilMs: 1 },
    releasedWording: text,
  };
  return [
    { $case: "approval", value: approvalOf(region, { directive: idOf(region, 1), person: text }) },
    { $case: "approval", value: approvalOf(region, { directive: text }) },
    { $case: "approval", value: approvalOf(region, { directive: idOf(region, 1), kind: text, role: text }) },
    {
      $case: "batchRevocation",
      value: { batch: idOf(region, 64_000 + index), person: text, role: text, reason: text, atMs: 1 },
    },
    { $case: "trunkSet", value: trunk({ trunk: text }) },
    { $case: "trunkSet", value: trunk({ trunk: `t-${index}`, direction: text, operator: text, mode: text }) },
    { $case: "regionStop", value: { revision: 1, stopped: true, person: text, carrier: text } },
    {
      $case: "receipt",
      value: {
        ...{ region, replica: text, bootId: text, release: text, ready: true, nationalEpoch: 1 },
        ...{
          nationalSequence: 1,
          digest: Buffer.from(text),
          regionEpoch: 1,
          eventsSequence: 1,
          urgentSequence: 1,
        },
        ...{ applied: [{ stream: text, sequence: 1, atMs: 1 }], atMs: 1 },
      },
    },
    {
      $case: "counters",
      value: {
        ...{ region, source: text, flush: 1 },
        minutes: [],
        calls: [
          {
            ...{ key: Buffer.from(text), minute: 1, verdict: text, reason: text, attributedTo: text },
            ...{ firstOfPairToday: true, fallbackKey: true },
          },
        ],
      },
    },
    { $case: "intelligence", value: { intelligence: piece } },
    { $case: "intelligence", value: { intelligence: undefined } },
    { $case: "intelligenceWithdrawn", value: { id: text, revision: 1, audience: text, atMs: 1 } },
    {
      $case: "alarms",
      value: {
        ...{ region, source: text, atMs: 1 },
        alarms: [{ code: text, subject: text, detail: text, sinceMs: 1 }],
      },
    },
    {
      $case: "heartbeat",
      value: {
        ...{ region, regionEpoch: 1, atMs: 1, release: text },
        numbers: [{ lane: text, producers: [{ producer: text, outbox: 1 }] }],
        nationalSeal: Seal.fromPartial({
          stream: text,
          site: text,
          last: Number.MAX_SAFE_INTEGER,
          keyId: text,
        }),
        streams: [
          {
            ...{ stream: text, epoch: 1, state: text, first: 1, last: 1, hubLast: 1 },
            ...{ bytes: 1, bytesMax: 1 },
          },
        ],
      },
    },
  ];
}

function nastyNumbers(region: string, number: number, index: number): Body[] {
  return [
    { $case: "trunkSet", value: trunk({ trunk: `n-${index}`, revision: number }) },
    {
      $case: "receipt",
      value: {
        ...{
          region,
          replica: `screening-${index}`,
          bootId: "b",
          release: "r",
          ready: true,
          nationalEpoch: 1,
        },
        ...{ nationalSequence: number, digest: Buffer.alloc(32), regionEpoch: 1 },
        ...{ eventsSequence: number, urgentSequence: number },
        ...{ applied: [{ stream: "NATIONAL", sequence: number, atMs: number }], atMs: number },
      },
    },
    {
      $case: "counters",
      value: {
        ...{ region, source: `s-${index}`, flush: number, calls: [] },
        minutes: [
          {
            minute: 1,
            counts: [{ verdict: "v", reason: "r", trunk: "t", mode: "m", decision: "d", questions: number }],
          },
        ],
      },
    },
    {
      $case: "intelligenceWithdrawn",
      value: {
        id: idOf(region, 65_000 + index),
        revision: Math.min(number, 4_294_967_295),
        audience: "all",
        atMs: number,
      },
    },
  ];
}

function trunk(change: Partial<Extract<Body, { $case: "trunkSet" }>["value"]>) {
  return {
    ...{ trunk: "t", revision: 1, direction: "international", operator: "o", sbcAddress: "a" },
    ...{ mode: "shadow", percent: 0 },
    ...change,
  };
}
