import { generateKeyPairSync } from "node:crypto";
import {
  compareStreams,
  evidenceText,
  parseEvidence,
  type EvidenceChain,
  type EvidenceContent,
  type EvidenceDocument,
  type EvidenceItem,
  type EvidenceSeal,
} from "#domain/evidence-document.ts";
import { auditPath, leafHash } from "#domain/merkle.ts";
import { chainStart, endOfChain, keyThumbprint, nextSeal, SealingKey, SealKeys } from "#domain/seal.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";

export const directiveId = "here-01K00000000000000000000000";

function makeKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { sealing: new SealingKey(pem), published: { kid: keyThumbprint(x), x } };
}

const signers = { capital: makeKey(), here: makeKey(), there: makeKey() };
type Site = keyof typeof signers;
export const keyOf = (site: Site): SealingKey => signers[site].sealing;
export const keys = new SealKeys(
  Object.fromEntries(Object.entries(signers).map(([site, { published }]) => [site, [published]])),
);

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** A stream with these messages, sealed in portions of four, and proofs for those that are wanted. */
export function sealedStream(
  of: { readonly site: Site; readonly stream: string; readonly epoch: number },
  messages: readonly Uint8Array[],
  wanted: readonly number[],
): { items: EvidenceItem[]; seals: EvidenceSeal[]; chain: EvidenceChain } {
  const leaves = messages.map(leafHash);
  const seals: EvidenceSeal[] = [];
  let end = chainStart;
  const items: EvidenceItem[] = [];
  while (end.last < messages.length) {
    const covered = leaves.slice(end.last, end.last + 4);
    const seal = nextSeal(of, end, covered, keyOf(of.site), 1_000 * (seals.length + 1));
    for (const sequence of wanted.filter((each) => seal.first <= each && each <= seal.last)) {
      const path = auditPath(covered, sequence - seal.first).map(text);
      items.push({
        ...of,
        sequence,
        bytes: text(messages[sequence - 1] ?? Buffer.alloc(0)),
        seal: seal.last,
        path,
      });
    }
    const bytes = { previous: text(seal.previous), root: text(seal.root), signature: text(seal.signature) };
    const { first, last, atMs, keyId } = seal;
    seals.push({
      ...of,
      first,
      last,
      previous: bytes.previous,
      root: bytes.root,
      atMs,
      keyId,
      signature: bytes.signature,
    });
    end = endOfChain(seal);
  }
  return { items, seals, chain: { ...of, from: 1, to: end.last, linked: true } };
}

const event = (outbox: number, body: NonNullable<Event["body"]>): Uint8Array =>
  Event.encode(Event.fromPartial({ outbox, atMs: outbox, body })).finish();
const other = (outbox: number) =>
  event(outbox, {
    $case: "batchRevocation",
    value: { batch: `b${outbox}`, person: "", role: "", reason: "", atMs: 1 },
  });
const digest = (sequence: number): Buffer => Buffer.alloc(32, sequence);

export function directive(revision: number, change: object = {}) {
  return event(revision, {
    $case: "directives",
    value: {
      directives: [
        {
          ...{ id: directiveId, revision, target: "number:+447911123456", action: "block", scope: "nation" },
          ...{ basis: "communications-law-41-1", reason: "fraud", author: "operator-1.here" },
          ...{
            authorRole: "operator",
            acceptedAtMs: 5,
            expiresAtMs: 9_000,
            termFromMs: 5,
            overrideRevision: 0,
          },
          ...{ batch: "", evidence: ["case-17"], revoked: false, revokedBy: "", missing: [] },
          ...{ falseStopOf: "", beyondDailyTargets: false },
          ...change,
        },
      ],
    },
  });
}

function receipt(region: Site, nationalSequence: number, table = digest(nationalSequence)) {
  return event(1, {
    $case: "receipt",
    value: {
      ...{ region, replica: "screening-0", bootId: "boot", release: "test", ready: true, nationalEpoch: 1 },
      ...{ nationalSequence, digest: table, regionEpoch: 1, eventsSequence: 0, urgentSequence: 0, atMs: 60 },
      applied: [{ stream: "NATIONAL", sequence: nationalSequence, atMs: 55 }],
    },
  });
}

const approval = event(7, {
  $case: "approval",
  value: {
    ...{
      directive: directiveId,
      revision: 1,
      batch: "",
      person: "prosecutor-1.here",
      role: "regional-prosecutor",
    },
    ...{ region: "here", kind: "second-person", approved: true, atMs: 7, complete: true },
  },
});

const national = (sequence: number, decision?: string) =>
  NationalBatch.encode(
    NationalBatch.fromPartial({
      ...{ sequence, atMs: 50 + sequence, digestAfter: digest(sequence) },
      decisions:
        decision === undefined ? [] : [{ region: "here", directive: directiveId, revision: 1, decision }],
    }),
  ).finish();

/** Evidence of a directive that one person asked for, another approved, and two regions enforce. */
export function givenContent(change: { readonly thereDigest?: Buffer } = {}): EvidenceContent {
  const lane = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => other(from + index));
  const urgent = [...lane(10, 5), directive(1), ...lane(20, 4), approval, ...lane(30, 6)];
  const streams = [
    sealedStream(
      { site: "capital", stream: "national", epoch: 1 },
      [1, 2, 3, 4, 5, 6].map((each) => national(each, each === 4 ? "accepted" : undefined)),
      [4, 5],
    ),
    sealedStream(
      { site: "here", stream: "events", epoch: 1 },
      [...lane(40, 3), receipt("here", 4), other(50)],
      [4],
    ),
    sealedStream({ site: "here", stream: "urgent", epoch: 1 }, urgent, [6, 11]),
    sealedStream(
      { site: "there", stream: "events", epoch: 1 },
      [other(60), receipt("there", 5, change.thereDigest)],
      [2],
    ),
  ];
  return {
    directive: directiveId,
    regions: ["here", "there"],
    exportedAtMs: 99_000,
    exportedBy: "central-prosecutor-1",
    release: "test",
    items: streams.flatMap(({ items }) => items),
    seals: streams.flatMap(({ seals }) => seals),
    chains: streams.map(({ chain }) => chain),
  };
}

/** A file as somebody who has the capital's key, and no other, would forge it: what he changes must be found below his signature. */
export function forged(change: (content: EvidenceDocument) => void): string {
  const document = parseEvidence(evidenceText(givenContent(), keyOf("capital")));
  change(document);
  const { signature: _s, format: _f, version: _v, ...content } = document;
  return evidenceText(content, keyOf("capital"));
}

export const inStream =
  (site: string, stream: string, epoch = 1) =>
  (each: { site: string; stream: string; epoch: number }) =>
    compareStreams(each, { site, stream, epoch }) === 0;
