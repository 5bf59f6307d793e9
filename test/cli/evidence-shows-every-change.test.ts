import fc from "fast-check";
import { expect, test } from "vitest";
import { evidenceText, type EvidenceDocument, type EvidenceItem } from "#domain/evidence-document.ts";
import { parseSigningKeys, SigningKeysInvalid } from "#domain/signing-keys.ts";
import { verifyEvidence } from "../../services/cli/evidence/verify-evidence.ts";
import { directive, forged, givenContent, inStream, keyOf, keys, sealedStream } from "./given-evidence.ts";

const good = evidenceText(givenContent(), keyOf("capital"));

const words = (text: string, verdict: string): string[] =>
  verifyEvidence(text, keys)
    .findings.filter((finding) => finding.verdict === verdict)
    .map((finding) => finding.text);
const falsehoods = (text: string): string => words(text, "false").join("\n");

const firstItem = ({ items }: EvidenceDocument, site: string, stream: string): EvidenceItem => {
  const found = items.find(inStream(site, stream));
  if (found === undefined) throw new Error(`no item of ${site}, ${stream}`);
  return found;
};

test("a file as it was exported is proven, but for what it cannot know", () => {
  expect(falsehoods(good)).toBe("");
  const proven = words(good, "proven").join("\n");
  for (const said of [
    "revision 1: block number:+447911123456",
    "asked for by operator-1.here (operator)",
    "was approved (second-person) by prosecutor-1.here",
    "revision 1 was accepted by message 4 of NATIONAL",
    "screening-0 enforced the decision since 1970-01-01T00:00:00.055Z",
    "the capital signed this file",
  ])
    expect(proven).toContain(said);
  expect(proven.match(/their digests are equal/g)).toHaveLength(2);
  expect(words(good, "not-proven")).toEqual([
    "the directive names case-17 as evidence: it is no event of any lane here",
  ]);
});

test("changing any byte of the file is found", () => {
  const bytes = Buffer.from(good);
  const change = fc.record({ at: fc.nat({ max: bytes.length - 1 }), by: fc.integer({ min: 1, max: 255 }) });
  const found = fc.property(change, ({ at, by }) => {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ by;
    // Bytes that are no UTF-8 are read as the same sign each: they are no part of this text either.
    expect(falsehoods(changed.toString("utf8"))).not.toBe("");
  });
  fc.assert(found, { numRuns: 1_500 });
});

test("changing any bit behind the content, in the signature itself, is found", () => {
  const bytes = Buffer.from(good);
  for (let at = good.indexOf('"signature": {'); at < bytes.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      expect({ at, bit, found: falsehoods(changed.toString("utf8")) !== "" }).toMatchObject({ found: true });
    }
  }
});

test("cutting the file anywhere, and writing more behind it, is found", () => {
  const cut = fc.property(fc.nat({ max: good.length - 1 }), (length) => {
    expect(falsehoods(good.slice(0, length))).toContain("no evidence");
  });
  fc.assert(cut, { numRuns: 200 });
  for (const more of [" ", "\n", "{}"]) expect(falsehoods(good + more)).toContain("no evidence");
});

test("whoever has not the capital's key cannot leave an event out, and whoever has it leaves a gap that is named", () => {
  const { signature, ...rest } = JSON.parse(good) as EvidenceDocument;
  const less = { ...rest, items: rest.items.slice(1), signature };
  expect(falsehoods(`${JSON.stringify(less, undefined, 1)}\n`)).toContain("changed, added or left out");

  const without = (site: string, stream: string) =>
    forged((document) => document.items.splice(document.items.findIndex(inStream(site, stream)), 1));
  expect(words(without("there", "events"), "not-proven")).toContain(
    "no receipt in the file shows that there enforced the decision",
  );
  expect(words(without("capital", "national"), "not-proven").join()).toContain("no decision of the capital");
  expect(words(without("here", "urgent"), "not-proven").join()).toContain("no message of the region states");
});

test("two events that are swapped are found, in place or with their places", () => {
  const bytesSwapped = forged((document) => {
    const [one, two] = document.items.filter(inStream("here", "urgent"));
    if (one === undefined || two === undefined) throw new Error("two items are needed");
    [one.bytes, two.bytes] = [two.bytes, one.bytes];
  });
  expect(falsehoods(bytesSwapped)).toContain(
    "message 6 of here, urgent 1, is not the message that was sealed",
  );
  expect(falsehoods(bytesSwapped)).toContain("message 11 of here, urgent 1, is not");
  const placesSwapped = forged((document) => {
    document.items.reverse();
  });
  expect(falsehoods(placesSwapped)).toContain("out of order");
});

test("an event that was never sealed, or claims another place, is found", () => {
  const never = forged((document) => {
    firstItem(document, "here", "urgent").bytes = Buffer.from(directive(1, { action: "allow" })).toString(
      "base64",
    );
  });
  expect(falsehoods(never)).toContain("message 6 of here, urgent 1, is not the message that was sealed");
  const moved = forged((document) => {
    firstItem(document, "here", "urgent").sequence = 7;
  });
  expect(falsehoods(moved)).toContain("message 7 of here, urgent 1, is not the message");
});

test("a seal made with another site's key is found", () => {
  const other = forged((document) => {
    const of = { site: "here", stream: "urgent", epoch: 1 } as const;
    const { seals, items } = sealedStream({ ...of, site: "there" }, [directive(1)], [1]);
    const at = document.seals.findIndex(inStream("here", "urgent"));
    const [seal] = seals;
    if (seal === undefined) throw new Error("no seal");
    document.seals[at] = { ...seal, site: "here" };
    Object.assign(firstItem(document, "here", "urgent"), { ...items[0], site: "here" });
  });
  expect(falsehoods(other)).toContain(
    "over messages 1 to 1 is signed with a key that its site does not have",
  );
});

test("a seal of another epoch proves nothing in this one", () => {
  const renamed = forged((document) => {
    for (const each of [...document.seals, ...document.items, ...document.chains])
      if (inStream("here", "urgent")(each)) each.epoch = 2;
  });
  expect(falsehoods(renamed)).toContain(
    "urgent 2, over messages 1 to 4 has a signature that is not over its content",
  );
  const borrowed = forged((document) => {
    const of = { site: "here", stream: "urgent", epoch: 2 } as const;
    const { seals, chain } = sealedStream(of, [directive(1)], [1]);
    const at = document.seals.findLastIndex(inStream("here", "urgent")) + 1;
    document.seals.splice(at, 0, ...seals);
    document.chains.push(chain);
    firstItem(document, "here", "urgent").seal = 1;
  });
  expect(falsehoods(borrowed)).toContain("message 6 of here, urgent 1, has no good seal in the file");
});

test("a chain that was truncated at an end or in the middle is found", () => {
  const without = (index: number) =>
    forged((document) => {
      const own = document.seals.filter(inStream("here", "urgent"));
      const seal = own.at(index);
      if (seal !== undefined) document.seals.splice(document.seals.indexOf(seal), 1);
    });
  expect(falsehoods(without(0))).toContain("the chain of seals of here, urgent 1 is cut");
  expect(falsehoods(without(-1))).toContain("the chain of seals of here, urgent 1 is cut");
  expect(falsehoods(without(2))).toContain(
    "the chain of seals of here, urgent 1 lacks what stands before message 13",
  );
});

test("what is not sealed yet is said, and is not false", () => {
  const unsealed = forged((document) => {
    Object.assign(firstItem(document, "here", "urgent"), { seal: 0, path: [] });
  });
  expect(falsehoods(unsealed)).toBe("");
  expect(words(unsealed, "not-proven").join()).toContain("not sealed when the file was made");
});

test("a region whose table was not the nation's is named", () => {
  const differing = evidenceText(givenContent({ thereDigest: Buffer.alloc(32, 77) }), keyOf("capital"));
  expect(words(differing, "not-proven").join()).toContain(
    "that table was not the nation's: their digests differ",
  );
});

test("no text makes the verifier fail", () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.constant(good.replace('"version": 1', '"version": 2')));
  const answers = fc.property(text, (given) => {
    expect(falsehoods(given)).toContain("no evidence");
  });
  fc.assert(answers, { numRuns: 300 });
});

test("a file of keys that is none is said to be none", () => {
  for (const text of ["", "{", "[]", '{"here": 1}', '{"here": [{"kid": "a", "x": "b"}]}'])
    expect(() => parseSigningKeys(text)).toThrow(SigningKeysInvalid);
});
