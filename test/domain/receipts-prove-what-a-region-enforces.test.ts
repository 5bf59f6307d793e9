import fc from "fast-check";
import { expect, test } from "vitest";
import { ReceiptBook, type ReceiptLike } from "#domain/receipts.ts";

const nowMs = 1_000_000;

function receipt(change: Partial<ReceiptLike> = {}): ReceiptLike {
  return {
    replica: "screening-0",
    bootId: "boot-1",
    ready: true,
    nationalEpoch: 1,
    nationalSequence: 0,
    digest: new Uint8Array(32),
    regionEpoch: 1,
    eventsSequence: 0,
    urgentSequence: 0,
    applied: [],
    atMs: nowMs,
    ...change,
  };
}

const applied = (sequence: number, atMs: number) => ({ stream: "NATIONAL", sequence, atMs });

test("a region enforces since its last ready replica did", () => {
  const book = new ReceiptBook();
  book.apply(receipt({ nationalSequence: 5, applied: [applied(4, 100), applied(5, 110)] }), nowMs);
  book.apply(receipt({ replica: "screening-1", nationalSequence: 4, applied: [applied(4, 130)] }), nowMs);
  expect(book.enforcedSequence("NATIONAL", nowMs)).toBe(4);
  expect(book.enforcedAt("NATIONAL", 4, nowMs)).toBe(130);
  expect(book.enforcedAt("NATIONAL", 5, nowMs)).toBeUndefined();
});

test("a replica that is not ready, or silent for 30 s, is not waited for and proves nothing", () => {
  const book = new ReceiptBook();
  book.apply(receipt({ nationalSequence: 5, applied: [applied(5, 110)] }), nowMs);
  book.apply(receipt({ replica: "screening-1", nationalSequence: 1, ready: false }), nowMs);
  expect(book.enforcedSequence("NATIONAL", nowMs)).toBe(5);
  expect(book.readyReplicas(nowMs)).toHaveLength(1);
  expect(book.enforcedAt("NATIONAL", 5, nowMs + 30_000)).toBe(110);
  expect(book.enforcedAt("NATIONAL", 5, nowMs + 30_001)).toBeUndefined();
  expect(book.enforcedSequence("NATIONAL", nowMs + 30_001)).toBe(0);
});

test("of a long list the first and the last are known, and the last bounds what lies between", () => {
  const book = new ReceiptBook();
  book.apply(receipt({ nationalSequence: 5_000, applied: [applied(1, 100), applied(5_000, 900)] }), nowMs);
  expect(book.enforcedAt("NATIONAL", 1, nowMs)).toBe(100);
  expect(book.enforcedAt("NATIONAL", 2_500, nowMs)).toBe(900);
});

test("what a replica had applied before it started again is known no later than its first receipt", () => {
  const book = new ReceiptBook();
  book.apply(receipt({ nationalSequence: 7, urgentSequence: 3, atMs: 555 }), nowMs);
  expect(book.enforcedAt("NATIONAL", 7, nowMs)).toBe(555);
  expect(book.enforcedAt("URGENT", 2, nowMs)).toBe(555);
});

test("a replica that starts again further back proves less, and a receipt of its former boot changes nothing", () => {
  const book = new ReceiptBook();
  const before = receipt({ nationalSequence: 9, applied: [applied(9, 100)] });
  book.apply(before, nowMs);
  book.apply(receipt({ bootId: "boot-2", nationalSequence: 6, atMs: nowMs + 1 }), nowMs + 1);
  book.apply(before, nowMs + 2);
  expect(book.enforcedSequence("NATIONAL", nowMs + 2)).toBe(6);
  book.apply(receipt({ bootId: "boot-2", nationalSequence: 9, atMs: nowMs + 3 }), nowMs + 3);
  expect(book.enforcedAt("NATIONAL", 9, nowMs + 3)).toBe(100);
});

test("a new epoch begins anew", () => {
  const book = new ReceiptBook();
  book.apply(receipt({ nationalSequence: 9, applied: [applied(9, 100)] }), nowMs);
  book.apply(receipt({ nationalEpoch: 2, nationalSequence: 1, applied: [applied(1, 200)] }), nowMs);
  expect(book.enforcedSequence("NATIONAL", nowMs)).toBe(1);
  expect(book.enforcedAt("NATIONAL", 1, nowMs)).toBe(200);
});

test("repeated and overtaken receipts of one boot change nothing, and memory stays bounded", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(40), { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat(59)),
      (steps, repeats) => {
        let sequence = 0;
        const receipts = steps.map((step, index) => {
          const from = sequence;
          sequence += step;
          const times = Array.from({ length: step }, (_, each) =>
            applied(from + each + 1, 1_000 + from + each),
          );
          return receipt({ nationalSequence: sequence, applied: times, atMs: nowMs + index });
        });
        const inOrder = new ReceiptBook();
        for (const each of receipts) inOrder.apply(each, nowMs);
        const shaken = new ReceiptBook();
        for (const each of [...receipts, ...repeats.flatMap((index) => receipts[index] ?? [])])
          shaken.apply(each, nowMs);
        expect(shaken.enforcedSequence("NATIONAL", nowMs)).toBe(inOrder.enforcedSequence("NATIONAL", nowMs));
        for (let each = 1; each <= sequence; each += 7) {
          expect(shaken.enforcedAt("NATIONAL", each, nowMs)).toBe(1_000 + each - 1);
        }
      },
    ),
  );
  const book = new ReceiptBook();
  const last = 20_000;
  for (let sequence = 1; sequence <= last; sequence += 1) {
    book.apply(receipt({ nationalSequence: sequence, applied: [applied(sequence, sequence)] }), nowMs);
  }
  expect(book.enforcedAt("NATIONAL", last, nowMs)).toBe(last);
  expect(book.enforcedAt("NATIONAL", last - 1_000, nowMs)).toBe(last - 1_000);
});

test("a clock that was set back keeps no replica alive that is gone", () => {
  const book = new ReceiptBook();
  const hourMs = 3_600_000;
  book.apply(receipt({ nationalSequence: 5 }), nowMs + hourMs);
  book.apply(receipt({ replica: "screening-1", nationalSequence: 7 }), nowMs + hourMs);
  expect(book.enforcedSequence("NATIONAL", nowMs)).toBe(5);
  book.apply(receipt({ replica: "screening-1", nationalSequence: 8 }), nowMs + 20_000);
  expect(book.enforcedSequence("NATIONAL", nowMs + 31_000)).toBe(8);
  expect(book.readyReplicas(nowMs + 31_000)).toHaveLength(1);
});
