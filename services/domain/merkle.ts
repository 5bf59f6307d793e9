import { createHash, hash } from "node:crypto";

/**
 * The Merkle tree of RFC 9162 (Certificate Transparency 2.0), section 2.1:
 * SHA-256, leaves and inner nodes told apart by a byte in front, so that no
 * node can be passed off as a leaf.
 */

/** Bytes of a hash in the tree. */
export const treeHashBytes = 32;

const leafPrefix = Buffer.of(0x00);
const nodePrefix = Buffer.of(0x01);

/** Hash of one leaf (2.1.1): SHA-256(0x00 ‖ bytes). */
export function leafHash(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(leafPrefix).update(bytes).digest();
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash("sha256", Buffer.concat([nodePrefix, left, right]), "buffer");
}

/**
 * Merkle tree hash over leaves that are hashed already (2.1.1). Of no leaf at
 * all it is the hash of nothing.
 *
 * @param leaves what `leafHash` gave for each, in order
 */
export function treeHash(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return hash("sha256", new Uint8Array(), "buffer");
  // Level by level: pairs are joined, and one that is left over goes up as it is. RFC 9162 cuts at the
  // largest power of two below n; both give the same tree.
  let level: Uint8Array[] = [...leaves];
  while (level.length > 1) level = parentsOf(level);
  return Buffer.from(level[0] ?? new Uint8Array());
}

function parentsOf(level: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const [left, right] = [level[index], level[index + 1]];
    if (left !== undefined) parents.push(right === undefined ? left : nodeHash(left, right));
  }
  return parents;
}

/**
 * Audit path of one leaf (2.1.3.1): the hashes by which the root follows from
 * it, the lowest first; at most 64 of them, ⌈log2 n⌉.
 *
 * @param leaves what `leafHash` gave for each, in order
 * @param index of the leaf, from 0
 * @throws RangeError where there is no such leaf
 */
export function auditPath(leaves: readonly Uint8Array[], index: number): Buffer[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`leaf ${index} of ${leaves.length} has no path`);
  const path: Buffer[] = [];
  let [level, at]: [readonly Uint8Array[], number] = [leaves, index];
  while (level.length > 1) {
    const sibling = level[at % 2 === 0 ? at + 1 : at - 1];
    if (sibling !== undefined) path.push(Buffer.from(sibling));
    level = parentsOf(level);
    at = Math.floor(at / 2);
  }
  return path;
}

/**
 * The root that follows from a leaf and its audit path (2.1.3.2); undefined
 * where the path has not as many hashes as a tree of that size asks for.
 *
 * @param index of the leaf, from 0
 * @param size leaves of the tree
 */
export function rootOfPath(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Buffer | undefined {
  if (!Number.isSafeInteger(size) || !Number.isInteger(index) || index < 0 || index >= size) return undefined;
  let root: Buffer = Buffer.from(leaf);
  let [at, lastAt] = [index, size - 1];
  for (const sibling of path) {
    if (lastAt === 0 || sibling.length !== treeHashBytes) return undefined;
    if (at % 2 === 1 || at === lastAt) {
      root = nodeHash(sibling, root);
      // Where it went up alone it has no sibling on those levels.
      while (at % 2 === 0 && at !== 0) [at, lastAt] = [Math.floor(at / 2), Math.floor(lastAt / 2)];
    } else {
      root = nodeHash(root, sibling);
    }
    [at, lastAt] = [Math.floor(at / 2), Math.floor(lastAt / 2)];
  }
  return lastAt === 0 ? root : undefined;
}
