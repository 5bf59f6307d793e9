import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { leafHash } from "#domain/merkle.ts";
import {
  chainStart,
  endOfChain,
  judgeSeal,
  keyThumbprint,
  nextSeal,
  noPrevious,
  sealBytes,
  sealCovers,
  SealingKey,
  SealKeys,
  type ChainEnd,
  type Seal,
  type SealFault,
} from "#domain/seal.ts";

const pemOf = () =>
  generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

function makeKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { sealing: new SealingKey(pem), published: { kid: keyThumbprint(x), x } };
}

const own = makeKey();
const next = makeKey();
const foreign = makeKey();
const keys = new SealKeys({ here: [own.published, next.published], there: [foreign.published] });
const lane = { stream: "urgent", site: "here", epoch: 1 };

const leavesOf = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => leafHash(Buffer.from(`message ${from + index}`)));

/** A chain over messages 1 to the sum of the sizes. */
function chainOf(sizes: readonly number[], key = own.sealing, of = lane): Seal[] {
  let end: ChainEnd = chainStart;
  return sizes.map((size, index) => {
    const seal = nextSeal(of, end, leavesOf(end.last + 1, end.last + size), key, 1_000 * index);
    end = endOfChain(seal);
    return seal;
  });
}

/** What verifying a whole epoch says first. */
function verifyChain(seals: readonly Seal[], leaves: readonly Buffer[]): SealFault | undefined {
  let end: ChainEnd = chainStart;
  for (const seal of seals) {
    const fault = judgeSeal(seal, lane, end, keys);
    if (fault !== undefined) return fault;
    if (!sealCovers(seal, leaves.slice(seal.first - 1, seal.last))) return "other-root";
    end = endOfChain(seal);
  }
  return undefined;
}

const sizesOf = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 3, maxLength: 6 });

test("a chain as it was made has no fault", () => {
  const whole = fc.property(sizesOf, (sizes) => {
    const seals = chainOf(sizes);
    expect(verifyChain(seals, leavesOf(1, seals.at(-1)?.last ?? 0))).toBeUndefined();
  });
  fc.assert(whole, { numRuns: 30 });
});

test("a message that is changed, left out, swapped or put in is found", () => {
  const kinds = fc.constantFrom("changed", "left out", "swapped", "put in");
  const found = fc.property(sizesOf, kinds, fc.nat(), (sizes, kind, salt) => {
    const seals = chainOf(sizes);
    const leaves = leavesOf(1, seals.at(-1)?.last ?? 0);
    const at = salt % (leaves.length - 1);
    const strange = leafHash(Buffer.from("never said"));
    if (kind === "changed") leaves[at] = strange;
    if (kind === "left out") leaves.splice(at, 1);
    if (kind === "put in") leaves.splice(at, 0, strange);
    if (kind === "swapped") leaves.splice(at, 2, ...leaves.slice(at, at + 2).toReversed());
    expect(verifyChain(seals, leaves)).toBe("other-root");
  });
  fc.assert(found, { numRuns: 50 });
});

test("a seal that is left out, twice there or swapped breaks the chain", () => {
  const seals = chainOf([3, 4, 5, 6]);
  const leaves = leavesOf(1, 18);
  const [one, two, three, four] = seals;
  const orders = [
    [two, three, four],
    [one, three, four],
    [one, two, two, three],
    [one, three, two, four],
  ];
  for (const order of orders)
    expect(
      verifyChain(
        order.filter((seal) => seal !== undefined),
        leaves,
      ),
    ).toBe("other-range");
});

test("a seal of the same range that somebody else chained is found by its link", () => {
  const [one, two] = chainOf([3, 4]);
  const [other] = chainOf([3], own.sealing, lane).map((seal) => own.sealing.sign({ ...seal, atMs: 77 }));
  if (one === undefined || two === undefined || other === undefined)
    throw new Error("three seals are needed");
  expect(judgeSeal(two, lane, endOfChain(one), keys)).toBeUndefined();
  expect(judgeSeal(two, lane, endOfChain(other), keys)).toBe("other-previous");
});

test.each<[string, Partial<Seal>, SealFault]>([
  ["of another region", { site: "there" }, "other-stream"],
  ["of another lane", { stream: "events" }, "other-stream"],
  ["of another epoch", { epoch: 2 }, "other-stream"],
  ["without a key that its region has", { keyId: foreign.sealing.keyId }, "unknown-key"],
  ["with another time", { atMs: 99 }, "bad-signature"],
  ["with another root", { root: leafHash(Buffer.from("another")) }, "bad-signature"],
  ["with another end", { last: 4 }, "bad-signature"],
  ["with a short signature", { signature: Buffer.alloc(63) }, "malformed"],
  ["with a short root", { root: Buffer.alloc(31) }, "malformed"],
  ["that covers nothing", { last: 0 }, "malformed"],
  ["that covers more than a seal may", { last: 1_001 }, "malformed"],
])("a seal %s proves nothing", (_, change, fault) => {
  const [seal] = chainOf([3]);
  if (seal === undefined) throw new Error("no seal");
  expect(judgeSeal({ ...seal, ...change }, lane, chainStart, keys)).toBe(fault);
});

test("a region's key signs for that region alone", () => {
  const [forged] = chainOf([3], foreign.sealing);
  if (forged === undefined) throw new Error("no seal");
  expect(judgeSeal(forged, lane, chainStart, keys)).toBe("unknown-key");
});

test("only the first seal of an epoch has none before it", () => {
  const [, second] = chainOf([3, 4]);
  if (second === undefined) throw new Error("no seal");
  const begun = own.sealing.sign({ ...second, previous: noPrevious });
  expect(judgeSeal(begun, lane, undefined, keys)).toBe("other-previous");
});

test("after a rotation the former key's seals stay valid, and it signs no new ones", () => {
  const [one, two] = chainOf([3, 4]);
  if (one === undefined || two === undefined) throw new Error("no seals");
  const rotated = nextSeal(lane, endOfChain(one), leavesOf(4, 7), next.sealing, 5);
  expect(judgeSeal(one, lane, chainStart, keys)).toBeUndefined();
  expect(judgeSeal(rotated, lane, endOfChain(one), keys)).toBeUndefined();
  const stolen = nextSeal(lane, endOfChain(rotated), leavesOf(8, 9), own.sealing, 6);
  expect(judgeSeal(stolen, lane, endOfChain(rotated), keys)).toBe("former-key");
});

test("two seals that differ anywhere have other bytes", () => {
  const text = fc.string({ maxLength: 8 });
  const number = fc.nat();
  const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const seal = fc.record({
    stream: text,
    site: text,
    keyId: text,
    epoch: number,
    first: number,
    last: number,
    atMs: number,
    previous: hashes,
    root: hashes,
  });
  const differs = fc.property(seal, seal, (left, right) => {
    const same = JSON.stringify(left) === JSON.stringify(right);
    expect(sealBytes(left).equals(sealBytes(right))).toBe(same);
  });
  fc.assert(differs);
});

test("a key that is no Ed25519 key, or has another id than its thumbprint, is refused", () => {
  const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const pem = elliptic.export({ type: "pkcs8", format: "pem" }).toString();
  expect(() => new SealingKey(pem)).toThrow("no Ed25519 key");
  expect(() => new SealingKey("nonsense")).toThrow(Error);
  expect(new SealingKey(pemOf()).keyId).toHaveLength(43);
  expect(() => new SealKeys({ here: [{ ...own.published, kid: "another" }] })).toThrow("another one");
});
