import {
  compareStreams,
  isSignedByCapital,
  type EvidenceChain,
  type EvidenceDocument,
  type EvidenceItem,
  type EvidenceSeal,
} from "#domain/evidence-document.ts";
import { leafHash, rootOfPath } from "#domain/merkle.ts";
import {
  endOfChain,
  judgeSeal,
  sealFaultText,
  type ChainEnd,
  type Seal,
  type SealKeys,
} from "#domain/seal.ts";

/** What verifying has found; `false`: it contradicts what is to be proven, so the file is not to be relied on. */
export interface Finding {
  readonly verdict: "proven" | "not-proven" | "false";
  /** Site that it is about, or empty: the whole file. */
  readonly site: string;
  readonly text: string;
}

/** A message that is proven to stand in its stream, or that none of its site's seals covers yet. */
export interface VerifiedItem {
  readonly site: string;
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** When it was sealed, and with which key; undefined: it is not. */
  readonly sealed: { readonly atMs: number; readonly keyId: string } | undefined;
}

export interface VerifiedDocument {
  readonly findings: readonly Finding[];
  /** Those that were not found to be false. */
  readonly items: readonly VerifiedItem[];
}

/**
 * Verifies seals, chains and messages of a document by mathematics and public
 * keys alone. What the messages say is not looked at here.
 */
export function verifyDocument(document: EvidenceDocument, keys: SealKeys): VerifiedDocument {
  const findings = [...verifySignature(document, keys), ...verifyOrder(document)];
  const good = new Map<string, Seal>();
  let before: { readonly seal: Seal; readonly end: ChainEnd } | undefined;
  for (const each of document.seals) {
    const seal = sealOf(each);
    const follows = before !== undefined && compareStreams(before.seal, seal) === 0;
    const end = follows && before?.end.last === seal.first - 1 ? before.end : undefined;
    const fault = judgeSeal(seal, seal, end, keys);
    if (fault === undefined) good.set(nameOf(seal, seal.last), seal);
    else findings.push(falseOf(seal.site, `${sealName(seal)} ${sealFaultText(fault)}`));
    before = { seal, end: endOfChain(seal) };
  }
  for (const chain of document.chains) findings.push(...verifyChain(chain, document.seals));
  findings.push(...seamsOf(document));

  const items: VerifiedItem[] = [];
  for (const item of document.items) {
    const bytes = Buffer.from(item.bytes, "base64");
    const { site, stream, epoch, sequence } = item;
    const seal = item.seal === 0 ? undefined : good.get(nameOf(item, item.seal));
    if (item.seal !== 0 && (seal === undefined || !isUnder(item, bytes, seal))) {
      const why =
        seal === undefined ? "has no good seal in the file" : "is not the message that was sealed there";
      findings.push(falseOf(site, `${itemName(item)} ${why}`));
      continue;
    }
    const sealed = seal === undefined ? undefined : { atMs: seal.atMs, keyId: seal.keyId };
    items.push({ site, stream, epoch, sequence, bytes, sealed });
  }
  return { findings, items };
}

function verifySignature(document: EvidenceDocument, keys: SealKeys): Finding[] {
  const signed = isSignedByCapital(document, keys);
  const at = shownMoment(document.exportedAtMs);
  if (signed === true) {
    const text = `the capital signed this file, whole as it is, at ${at} for ${document.exportedBy} (key ${document.signature.keyId})`;
    return [{ verdict: "proven", site: "", text }];
  }
  const why =
    signed === undefined
      ? "is signed with a key that is not among those of the capital"
      : "is not the one that the capital signed: something in it was changed, added or left out";
  return [falseOf("", `the file ${why}`)];
}

/** Items and seals stand in one order, each once: swapping two is a change that shows. */
function verifyOrder({ items, seals }: EvidenceDocument): Finding[] {
  const disorder = [
    ...items.flatMap((item, index) => {
      const next = items[index + 1];
      const isWrong =
        next !== undefined && (compareStreams(item, next) || item.sequence - next.sequence) >= 0;
      return isWrong ? [`${itemName(next)} stands after ${itemName(item)}`] : [];
    }),
    ...seals.flatMap((seal, index) => {
      const next = seals[index + 1];
      const isWrong = next !== undefined && (compareStreams(seal, next) || seal.last - next.first) >= 0;
      return isWrong ? [`${sealName(next)} stands after ${sealName(seal)}`] : [];
    }),
  ];
  return disorder.map((text) => falseOf("", `out of order: ${text}`));
}

/** A chain that says it is whole has every seal from its first message to its last. */
function verifyChain(chain: EvidenceChain, all: readonly EvidenceSeal[]): Finding[] {
  const seals = all.filter((seal) => compareStreams(seal, chain) === 0);
  const name = `the chain of seals of ${chain.site}, ${chain.stream} ${chain.epoch}`;
  if (seals[0]?.first !== chain.from || seals.at(-1)?.last !== chain.to)
    return [falseOf(chain.site, `${name} is cut: it should reach from message ${chain.from} to ${chain.to}`)];
  const gap = seals.find((seal, index) => index > 0 && seals[index - 1]?.last !== seal.first - 1);
  if (gap === undefined) return [];
  const text = `${name} lacks what stands before message ${gap.first}`;
  if (chain.linked) return [falseOf(chain.site, text)];
  return [
    {
      verdict: "not-proven",
      site: chain.site,
      text: `${text}: there are too many seals between, so this file does not show that both ends are of one history`,
    },
  ];
}

/** Seals that belong to no chain of the file were put in. */
function seamsOf({ seals, chains }: EvidenceDocument): Finding[] {
  return seals
    .filter((seal) => !chains.some((chain) => compareStreams(seal, chain) === 0))
    .map((seal) => falseOf(seal.site, `${sealName(seal)} belongs to no chain of the file`));
}

function isUnder(item: EvidenceItem, bytes: Uint8Array, seal: Seal): boolean {
  const path = item.path.map((hash) => Buffer.from(hash, "base64"));
  const root = rootOfPath(leafHash(bytes), item.sequence - seal.first, seal.last - seal.first + 1, path);
  return root !== undefined && Buffer.compare(root, seal.root) === 0;
}

function sealOf({ previous, root, signature, ...seal }: EvidenceSeal): Seal {
  const bytes = (text: string) => Buffer.from(text, "base64");
  return { ...seal, previous: bytes(previous), root: bytes(root), signature: bytes(signature) };
}

interface InStream {
  readonly site: string;
  readonly stream: string;
  readonly epoch: number;
}

/** ISO 8601; a number that is no date is shown as such. */
export function shownMoment(atMs: number): string {
  const date = new Date(atMs);
  return Number.isNaN(date.getTime()) ? `at no time (${atMs})` : date.toISOString();
}

const falseOf = (site: string, text: string): Finding => ({ verdict: "false", site, text });
const nameOf = ({ site, stream, epoch }: InStream, last: number): string =>
  `${site} ${stream} ${epoch} ${last}`;
const itemName = ({ site, stream, epoch, sequence }: InStream & { readonly sequence: number }): string =>
  `message ${sequence} of ${site}, ${stream} ${epoch},`;
const sealName = (seal: InStream & { readonly first: number; readonly last: number }): string =>
  `the seal of ${seal.site}, ${seal.stream} ${seal.epoch}, over messages ${seal.first} to ${seal.last}`;
