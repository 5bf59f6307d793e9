import type { EvidenceDocument } from "#domain/evidence-document.ts";
import { regionOfId } from "#domain/vocabulary.ts";
import {
  Event,
  NationalBatch,
  type Approval,
  type Decision,
  type Directive,
  type Intelligence,
  type Receipt,
} from "#proto/qalqan/events/v1/events.ts";
import { shownMoment, type Finding, type VerifiedItem } from "./verify-document.ts";

/** What somebody said, and the message in which he did. */
interface Said<Content> {
  readonly content: Content;
  readonly item: VerifiedItem;
}

interface Decided {
  readonly decision: Decision;
  readonly sequence: number;
  readonly atMs: number;
}

/** What the messages of a file say about its directive. */
interface Story {
  readonly revisions: readonly Said<Directive>[];
  readonly approvals: readonly Said<Approval>[];
  readonly intelligence: readonly Said<Intelligence>[];
  readonly receipts: readonly Said<Receipt>[];
  readonly decisions: readonly Said<Decided>[];
  /** Digest of the national table after each message of NATIONAL in the file. */
  readonly digests: ReadonlyMap<number, { readonly digest: Uint8Array; readonly isSealed: boolean }>;
}

/** What is proven about the directive of a document, and what is not, in words. */
export function tellStory(document: EvidenceDocument, items: readonly VerifiedItem[]): readonly Finding[] {
  const unreadable: Finding[] = [];
  const story = readStory(document.directive, items, ({ site, stream, epoch, sequence }) => {
    const text = `message ${sequence} of ${stream} ${epoch} is none that this release can read`;
    unreadable.push(notProven(site, text));
  });
  const region = regionOfId(document.directive);
  return [
    ...story.revisions.map(tellRevision),
    ...gaps(document.directive, region, story.revisions),
    ...story.approvals.map(tellApproval),
    ...tellIntelligence(story),
    ...tellDecisions(document.directive, story.decisions),
    ...document.regions.flatMap((each) => tellEnforcement(each, story)),
    ...unreadable,
  ];
}

function readStory(
  directive: string,
  items: readonly VerifiedItem[],
  unreadable: (item: VerifiedItem) => void,
): Story {
  const story = emptyStory();
  for (const item of items) {
    try {
      if (item.stream === "national") readNational(story, directive, item);
      else readEvent(story, directive, item);
    } catch {
      unreadable(item);
    }
  }
  return story;
}

function emptyStory() {
  return {
    revisions: [] as Said<Directive>[],
    approvals: [] as Said<Approval>[],
    intelligence: [] as Said<Intelligence>[],
    receipts: [] as Said<Receipt>[],
    decisions: [] as Said<Decided>[],
    digests: new Map<number, { digest: Uint8Array; isSealed: boolean }>(),
  };
}

type Reading = ReturnType<typeof emptyStory>;

function readNational(story: Reading, directive: string, item: VerifiedItem): void {
  const { sequence, atMs, digestAfter, decisions } = NationalBatch.decode(item.bytes);
  story.digests.set(sequence, { digest: digestAfter, isSealed: item.sealed !== undefined });
  for (const decision of decisions)
    if (decision.directive === directive)
      story.decisions.push({ content: { decision, sequence, atMs }, item });
}

function readEvent(story: Reading, directive: string, item: VerifiedItem): void {
  const { body } = Event.decode(item.bytes);
  if (body?.$case === "directives")
    for (const content of body.value.directives)
      if (content.id === directive) story.revisions.push({ content, item });
  if (body?.$case === "approval") story.approvals.push({ content: body.value, item });
  if (body?.$case === "receipt") story.receipts.push({ content: body.value, item });
  if (body?.$case === "intelligence" && body.value.intelligence !== undefined)
    story.intelligence.push({ content: body.value.intelligence, item });
}

function tellRevision({ content, item }: Said<Directive>): Finding {
  const { revision, action, target, scope, basis, reason, author, authorRole, revoked, revokedBy } = content;
  const what = revoked
    ? `revision ${revision} of the directive ends it, by ${revokedBy}`
    : `revision ${revision}: ${action} ${target}, scope ${scope}, basis ${basis}, reason ${reason}, until ${shownMoment(content.expiresAtMs)}, asked for by ${author} (${authorRole}), accepted ${shownMoment(content.acceptedAtMs)}`;
  return said(item, what);
}

/** Revisions count from 1: one that is not in the file was left out, or is not kept any more. */
function gaps(directive: string, region: string, revisions: readonly Said<Directive>[]): Finding[] {
  const known = new Set(revisions.map(({ content }) => content.revision));
  const last = Math.max(0, ...known);
  if (last === 0) return [notProven(region, `no message of the region states the directive ${directive}`)];
  const missing = Array.from({ length: last }, (_, index) => index + 1).filter((each) => !known.has(each));
  return missing.map((revision) =>
    notProven(region, `revision ${revision} of the directive is not in the file`),
  );
}

function tellApproval({ content, item }: Said<Approval>): Finding {
  const { kind, person, role, region, approved, atMs, revision, batch } = content;
  const what = batch === "" ? `revision ${revision}` : `the batch ${batch}`;
  const done = approved ? "was approved" : "was refused";
  return said(item, `${what} ${done} (${kind}) by ${person} (${role}, ${region}) at ${shownMoment(atMs)}`);
}

function tellIntelligence({ revisions, intelligence }: Story): Finding[] {
  const named = new Set(revisions.flatMap(({ content }) => content.evidence));
  const known = new Set(intelligence.map(({ content }) => content.id));
  return [
    ...intelligence.map(({ content, item }) => {
      const { id, revision, kind, author, confidence, createdAtMs } = content;
      const words = `intelligence ${id} revision ${revision}: ${kind}, confidence ${confidence}, by ${author}, ${shownMoment(createdAtMs)}`;
      return said(item, words);
    }),
    ...[...named]
      .filter((id) => !known.has(id))
      .map((id) => notProven("", `the directive names ${id} as evidence: it is no event of any lane here`)),
  ];
}

function tellDecisions(directive: string, decisions: readonly Said<Decided>[]): Finding[] {
  if (decisions.length === 0)
    return [notProven("capital", `no decision of the capital on ${directive} is in the file`)];
  return decisions.map(({ content, item }) => {
    const { decision, sequence, atMs } = content;
    const why = decision.reason === "" ? "" : ` (${decision.reason})`;
    const words = `revision ${decision.revision} was ${decision.decision}${why} by message ${sequence} of NATIONAL at ${shownMoment(atMs)}`;
    return said(item, words);
  });
}

/** Since when a region enforces the first acceptance, and whether its table was the nation's. */
function tellEnforcement(region: string, { decisions, receipts, digests }: Story): Finding[] {
  const accepted = decisions.find(({ content }) => content.decision.decision === "accepted")?.content
    .sequence;
  if (accepted === undefined) return [];
  const own = receipts.filter(
    ({ content, item }) => item.site === region && content.ready && content.nationalSequence >= accepted,
  );
  if (own.length === 0)
    return [notProven(region, `no receipt in the file shows that ${region} enforced the decision`)];
  return own.map(({ content, item }) => {
    const { replica, nationalSequence, digest } = content;
    const known = digests.get(nationalSequence);
    const applied = content.applied.find(
      ({ stream, sequence }) => stream === "NATIONAL" && sequence >= accepted,
    );
    const since = shownMoment(applied?.atMs ?? content.atMs);
    const words = `${replica} enforced the decision since ${since}, and said so with its table at message ${nationalSequence} of NATIONAL`;
    if (known === undefined)
      return notProven(region, `${words}; the nation's digest there is not in the file`);
    if (Buffer.compare(known.digest, digest) !== 0)
      return notProven(region, `${words}; that table was not the nation's: their digests differ`);
    const isSealed = item.sealed !== undefined && known.isSealed;
    const table = "that table was the nation's: their digests are equal";
    return isSealed
      ? said(item, `${words}; ${table}`)
      : notProven(region, `${words}; ${table}, and not all of it is sealed`);
  });
}

/** Proven: that it stood in the site's stream when it was sealed. */
function said({ site, stream, epoch, sequence, sealed }: VerifiedItem, words: string): Finding {
  const where = `message ${sequence} of ${stream} ${epoch}`;
  return sealed === undefined
    ? notProven(site, `${words} [${where}, not sealed when the file was made]`)
    : { verdict: "proven", site, text: `${words} [${where}, sealed ${shownMoment(sealed.atMs)}]` };
}

const notProven = (site: string, text: string): Finding => ({ verdict: "not-proven", site, text });

/** What no file of this kind can prove. */
export const limits: readonly string[] = [
  "that the persons named did it themselves: a seal proves what a site's replication found in its stream; the will of a person is proven by a qualified electronic signature, which is not here yet",
  "which service of a site wrote a message: inside a region its own keys decide that",
  "that a time is right: each is what the clock of that site said",
  "that nothing else was ever said about the directive: that this is everything rests on the capital's signature",
];
