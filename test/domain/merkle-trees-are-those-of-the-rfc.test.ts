import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { auditPath, leafHash, rootOfPath, treeHash } from "#domain/merkle.ts";

/** Leaves and roots of the test data of Certificate Transparency's reference implementation. */
const leaves = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map((hex) => leafHash(Buffer.from(hex, "hex")));
const roots = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const paths: readonly [index: number, size: number, path: readonly string[]][] = [
  [0, 1, []],
  [
    0,
    8,
    [
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
  ],
  [
    5,
    8,
    [
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
  [2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]],
];

/** The definition of RFC 9162, 2.1.1, word by word. */
function byDefinition(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes;
  if (hashes.length <= 1) return first ?? createHash("sha256").digest();
  let half = 1;
  while (half * 2 < hashes.length) half *= 2;
  const [left, right] = [byDefinition(hashes.slice(0, half)), byDefinition(hashes.slice(half))];
  return createHash("sha256").update(Buffer.of(1)).update(left).update(right).digest();
}

const anyLeaves = fc
  .array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 70 })
  .map((bytes) => bytes.map(leafHash));
const leavesAndIndex = anyLeaves.chain((hashes) =>
  fc.record({ hashes: fc.constant(hashes), index: fc.nat({ max: hashes.length - 1 }) }),
);

test.each(roots.map((root, size) => ({ root, size })))(
  "the tree of $size leaves has the known root",
  (given) => {
    expect(treeHash(leaves.slice(0, given.size)).toString("hex")).toBe(given.root);
  },
);

test.each(paths)("the path of leaf %i in a tree of %i is the known one", (index, size, path) => {
  expect(auditPath(leaves.slice(0, size), index).map((each) => each.toString("hex"))).toEqual(path);
});

test("the tree is the one that the RFC defines, whatever its size", () => {
  fc.assert(fc.property(anyLeaves, (hashes) => treeHash(hashes).equals(byDefinition(hashes))));
});

test("the root follows from every leaf and its path", () => {
  fc.assert(
    fc.property(leavesAndIndex, ({ hashes, index }) => {
      const leaf = hashes[index] ?? Buffer.alloc(0);
      const root = rootOfPath(leaf, index, hashes.length, auditPath(hashes, index));
      expect(root).toEqual(treeHash(hashes));
    }),
  );
});

test("another leaf, place, size or path gives another root or none", () => {
  const changes = fc.constantFrom("leaf", "index", "size", "shorter", "longer", "changed");
  fc.assert(
    fc.property(leavesAndIndex, changes, fc.nat(), ({ hashes, index }, change, salt) => {
      const path = auditPath(hashes, index);
      let [leaf, at, size] = [hashes[index] ?? Buffer.alloc(0), index, hashes.length];
      if (change === "leaf") leaf = leafHash(Buffer.from(`another ${salt}`));
      if (change === "index") at = (index + 1 + (salt % size)) % (size + 1);
      if (change === "size") size = hashes.length * 2 + (salt % 7);
      if (change === "shorter") path.pop();
      if (change === "longer") path.push(leafHash(Buffer.from("one more")));
      if (change === "changed") path[salt % (path.length + 1)] = leafHash(Buffer.from(`another ${salt}`));
      // Equal messages have equal leaves: then another place is the same tree.
      fc.pre(change !== "index" || hashes[at]?.equals(leaf) !== true);
      fc.pre(change !== "shorter" || hashes.length > 1);
      fc.pre(change !== "changed" || path.length > 0);
      const root = rootOfPath(leaf, at, size, path);
      expect(root?.equals(treeHash(hashes)) ?? false).toBe(false);
    }),
  );
});

test("there is no path for a leaf that is not there", () => {
  expect(() => auditPath(leaves, 8)).toThrow(RangeError);
  expect(() => auditPath(leaves, -1)).toThrow(RangeError);
  expect(() => auditPath([], 0)).toThrow(RangeError);
});
