/**
 * Seals: signed proof of what a stream held (architecture.md, "Evidence").
 *
 * A seal covers the messages of one stream and epoch from `first` to `last`, all
 * of them, by the root of a Merkle tree over their bytes. It names the hash of
 * the seal before it, so the seals of an epoch are one chain from message 1 on:
 * a message that is changed, left out, put in or swapped gives another root, a
 * seal that is left out or replaced breaks the link after it.
 */

import {
  createPrivateKey,
  createPublicKey,
  hash,
  sign,
  verify,
  type JsonWebKey,
  type KeyObject,
} from "node:crypto";
import { treeHash, treeHashBytes } from "./merkle.ts";

/** A seal is due when something waits for it so long (ms) … */
export const sealEveryMs = 1_000;
/** … or so many messages do; one seal covers no more. */
export const sealMessagesMax = 1_000;

/** What a seal says; the generated message fits. */
export interface UnsignedSeal {
  /** events | urgent | national */
  readonly stream: string;
  /** Slug of the region, or `capital`. */
  readonly site: string;
  readonly epoch: number;
  /** Sequences covered, both included. */
  readonly first: number;
  readonly last: number;
  /** `sealHash` of the seal before it; `noPrevious`: it is the first of its epoch. */
  readonly previous: Uint8Array;
  /** `treeHash` of the messages covered. */
  readonly root: Uint8Array;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Thumbprint of the key that signs (RFC 7638). */
  readonly keyId: string;
}

export interface Seal extends UnsignedSeal {
  /** Ed25519 (RFC 8032) over `sealBytes`, 64 bytes. */
  readonly signature: Uint8Array;
}

/** `previous` of the first seal of an epoch. */
export const noPrevious: Uint8Array = new Uint8Array(treeHashBytes);

/** So that no signature over anything else can be passed off as one over a seal. */
const domain = "qalqan seal 1\n";

/**
 * Canonical bytes of a seal, which its signature is over: every field with its
 * length in front, big-endian, in a fixed order.
 */
export function sealBytes(seal: UnsignedSeal): Buffer {
  const { stream, site, epoch, first, last, previous, root, atMs, keyId } = seal;
  return Buffer.concat([
    Buffer.from(domain),
    ...[stream, site, keyId].map((text) => withLength(Buffer.from(text))),
    ...[epoch, first, last, atMs].map(whole),
    ...[previous, root].map(withLength),
  ]);
}

/** What the seal after it names as `previous`: SHA-256 of the canonical bytes and the signature. */
export function sealHash(seal: Seal): Buffer {
  return hash("sha256", Buffer.concat([sealBytes(seal), withLength(seal.signature)]), "buffer");
}

function withLength(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function whole(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(Math.trunc(Number.isFinite(number) ? number : 0))));
  return bytes;
}

/** An Ed25519 public key (RFC 8037) with its thumbprint; a JSON Web Key fits. */
export interface PublicSigningKey {
  readonly kid: string;
  /** base64url */
  readonly x: string;
}

/** Thumbprint of an Ed25519 public key: RFC 7638, 3, the required members in the order of their names. */
export function keyThumbprint(x: string): string {
  return hash("sha256", JSON.stringify({ crv: "Ed25519", kty: "OKP", x }), "buffer").toString("base64url");
}

/** The key that a site seals with. */
export class SealingKey {
  readonly keyId: string;
  readonly #key: KeyObject;

  /**
   * @param pem private key, Ed25519, PKCS 8
   * @throws Error where it is none
   */
  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    const { crv, x }: JsonWebKey = createPublicKey(this.#key).export({ format: "jwk" });
    if (crv !== "Ed25519" || x === undefined) throw new TypeError("the signing key is no Ed25519 key");
    this.keyId = keyThumbprint(x);
  }

  sign(seal: Omit<UnsignedSeal, "keyId">): Seal {
    const unsigned = { ...seal, keyId: this.keyId };
    return { ...unsigned, signature: this.signBytes(sealBytes(unsigned)) };
  }

  /** @param bytes beginning with a domain of their own, so that they can be taken for nothing else */
  signBytes(bytes: Uint8Array): Uint8Array {
    return sign(null, bytes, this.#key);
  }
}

/**
 * The public signing keys of all sites, each site's in the order in which they
 * were used, the current one last: what a former key has signed stays signed.
 */
export class SealKeys {
  readonly #sites = new Map<string, Map<string, { readonly key: KeyObject; readonly order: number }>>();

  /** @throws Error where a key is no Ed25519 key, or its id not its thumbprint */
  constructor(sites: Readonly<Record<string, readonly PublicSigningKey[]>>) {
    for (const [site, keys] of Object.entries(sites)) {
      const known = keys.map(({ kid, x }, order) => {
        if (keyThumbprint(x) !== kid)
          throw new TypeError(`key ${kid} of ${site} is another one than it says`);
        const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
        return [kid, { key, order }] as const;
      });
      this.#sites.set(site, new Map(known));
    }
  }

  /** Whether the site's key of that id signed these bytes; undefined: the site has no such key. */
  verify(site: string, keyId: string, bytes: Uint8Array, signature: Uint8Array): boolean | undefined {
    const known = this.#sites.get(site)?.get(keyId);
    return known === undefined ? undefined : verify(null, bytes, known.key, signature);
  }

  /** The how manieth key of its site it is, from 0; -1: the site has no such key. */
  orderOf(site: string, keyId: string): number {
    return this.#sites.get(site)?.get(keyId)?.order ?? -1;
  }
}

/** A stream in one epoch, which has one chain of seals. */
export interface SealedStream {
  readonly stream: string;
  readonly site: string;
  readonly epoch: number;
}

/** Where a chain stands: its newest seal. */
export interface ChainEnd {
  /** Last sequence that is sealed; 0: nothing is. */
  readonly last: number;
  /** Hash of that seal. */
  readonly hash: Uint8Array;
  /** Key that signed it; empty: no seal yet. */
  readonly keyId: string;
}

/** The chain of an epoch before its first seal. */
export const chainStart: ChainEnd = { last: 0, hash: noPrevious, keyId: "" };

export function endOfChain(seal: Seal): ChainEnd {
  return { last: seal.last, hash: sealHash(seal), keyId: seal.keyId };
}

/** The next seal of a stream. @param leaves `leafHash` of the messages after `end.last`, 1 to 1,000 */
export function nextSeal(
  of: SealedStream,
  end: ChainEnd,
  leaves: readonly Uint8Array[],
  key: SealingKey,
  atMs: number,
): Seal {
  if (leaves.length === 0 || leaves.length > sealMessagesMax)
    throw new RangeError(`a seal covers 1 to ${sealMessagesMax} messages, not ${leaves.length}`);
  const { stream, site, epoch } = of;
  const range = { first: end.last + 1, last: end.last + leaves.length };
  return key.sign({ stream, site, epoch, ...range, previous: end.hash, root: treeHash(leaves), atMs });
}

/** Why a seal proves nothing. */
export type SealFault =
  /** It is no seal: a length, a range. */
  | "malformed"
  /** It speaks of another stream, site or epoch than where it stands. */
  | "other-stream"
  /** Its site has no such key. */
  | "unknown-key"
  /** A key that the chain had given up signs again. */
  | "former-key"
  /** The signature is not over these bytes. */
  | "bad-signature"
  /** It does not begin after the last message that is sealed: a seal is missing, or twice there. */
  | "other-range"
  /** It names another seal than the one before it. */
  | "other-previous"
  /** The messages are not those that were sealed: one is changed, missing, swapped or put in. */
  | "other-root";

/**
 * Whether a seal is one: of its stream, by its site's key, and linked to the
 * seal before it. That it covers the messages that are there is `sealCovers`.
 *
 * @param end of the chain; undefined: the seal before it is not known, and its link is not looked at
 */
export function judgeSeal(
  seal: Seal,
  of: SealedStream,
  end: ChainEnd | undefined,
  keys: SealKeys,
): SealFault | undefined {
  const { stream, site, epoch, first, last, previous, keyId } = seal;
  if (!isWellFormed(seal)) return "malformed";
  if (stream !== of.stream || site !== of.site || epoch !== of.epoch) return "other-stream";
  const signed = keys.verify(site, keyId, sealBytes(seal), seal.signature);
  if (signed === undefined) return "unknown-key";
  if (!signed) return "bad-signature";
  const isFirst = Buffer.compare(previous, noPrevious) === 0;
  // Only the first seal of an epoch has none before it.
  if (isFirst !== (first === 1)) return "other-previous";
  if (end === undefined) return undefined;
  if (first !== end.last + 1 || last < first) return "other-range";
  if (Buffer.compare(previous, end.hash) !== 0) return "other-previous";
  return keys.orderOf(site, keyId) < keys.orderOf(site, end.keyId) ? "former-key" : undefined;
}

/** Whether the messages are those that were sealed. @param leaves `leafHash` of messages `first` to `last` */
export function sealCovers(seal: Seal, leaves: readonly Uint8Array[]): boolean {
  const count = seal.last - seal.first + 1;
  return leaves.length === count && Buffer.compare(treeHash(leaves), seal.root) === 0;
}

function isWellFormed({ first, last, previous, root, epoch, atMs, signature }: Seal): boolean {
  const numbers = [first, last, epoch, atMs].every((number) => Number.isSafeInteger(number) && number >= 0);
  const hashes = previous.length === treeHashBytes && root.length === treeHashBytes;
  const count = last - first + 1;
  return numbers && hashes && signature.length === 64 && first >= 1 && count >= 1 && count <= sealMessagesMax;
}

/** A fault in words, after “the seal …”. */
export function sealFaultText(fault: SealFault): string {
  switch (fault) {
    case "malformed":
      return "is no seal";
    case "other-stream":
      return "speaks of another stream, site or epoch";
    case "unknown-key":
      return "is signed with a key that its site does not have";
    case "former-key":
      return "is signed with a key that its site had given up before";
    case "bad-signature":
      return "has a signature that is not over its content";
    case "other-range":
      return "does not begin where the seal before it ends: a seal is missing or twice there";
    case "other-previous":
      return "does not name the seal before it: a seal is missing or was replaced";
    case "other-root":
      return "covers other messages than are there: one is changed, missing, swapped or put in";
    default:
      return fault satisfies never;
  }
}
