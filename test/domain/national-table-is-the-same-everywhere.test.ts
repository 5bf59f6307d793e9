import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Entry, NationalChange, NationalRow } from "#domain/national-rows.ts";
import { entryText, rowKey } from "#domain/national-rows.ts";
import { DamagedSnapshot, nationalFromLines, nationalLines } from "#domain/national-snapshot.ts";
import { NationalTable, WrongSequence } from "#domain/national-table.ts";
import { parseTargetKey, rangeContains } from "#domain/target.ts";
import { actions } from "#domain/vocabulary.ts";
import { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { batchOf, entry, entryRow, laterMs, nowMs, protectedRow, region, tableOf } from "./given.ts";

/** Few numbers, so that rows meet: +4470…00 to +4470…29, ranges among them, two trunks. */
const digits = fc.integer({ min: 0, max: 29 }).map((index) => `+4470000000${String(index).padStart(2, "0")}`);
const place = fc.constantFrom("intl-1", "intl-2");
const target = fc.oneof(
  digits,
  fc.tuple(digits, digits).map(([left, right]) => [left, right].toSorted().join("-")),
  place.map((trunk) => `trunk:${trunk}`),
  fc.tuple(digits, fc.oneof(place, fc.constant("international"))).map((parts) => parts.join("@")),
);
const entryRows = fc
  .tuple(target, fc.constantFrom(...actions), fc.nat(9), fc.constantFrom(nowMs, laterMs))
  .map(([key, action, directive, expiresAtMs]) =>
    entryRow(key, action, { directive: `almaty-${directive}`, expiresAtMs }),
  );
const change: fc.Arbitrary<NationalRow> = fc.oneof(
  { weight: 6, arbitrary: entryRows },
  {
    weight: 3,
    arbitrary: entryRows.map((row): NationalRow => ({ row: { $case: "removed", value: rowKey(row) ?? "" } })),
  },
  { weight: 1, arbitrary: digits.map((number) => protectedRow(number, "intl-2", "dom-1")) },
  {
    weight: 1,
    arbitrary: digits.map((number): NationalRow => ({
      row: { $case: "removed", value: `protected|${number}` },
    })),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map((stopped): NationalRow => ({
      row: { $case: "stop", value: { stopped, person: "p", atMs: nowMs, revision: 1 } },
    })),
  },
);
const batches = fc.array(fc.array(change, { maxLength: 12 }), { maxLength: 12 });

function build(changes: NationalRow[][]): NationalTable {
  const table = new NationalTable(region);
  changes.forEach((rows, index) => table.apply(batchOf(index + 1, rows)));
  return table;
}

/** What the rows come to, by the plainest means. */
function survivors(changes: NationalRow[][]): NationalRow[] {
  const rows = new Map<string, NationalRow>();
  for (const row of changes.flat()) {
    const key = rowKey(row) ?? "";
    rows.delete(key);
    if (row.row?.$case !== "removed") {
      rows.set(key, row);
    }
  }
  return [...rows.values()];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("the national table", () => {
  test("has a digest that equals that of a fresh build from its rows in any order", () => {
    const shuffled = batches.chain((changes) => {
      const rows = survivors(changes);
      return fc.tuple(fc.constant(changes), fc.shuffledSubarray(rows, { minLength: rows.length }));
    });
    fc.assert(
      fc.property(shuffled, ([changes, rows]) => {
        const table = build(changes);
        expect(hex(table.digest)).toBe(hex(tableOf(rows).digest));
        expect(table.size).toBe(rows.length);
      }),
    );
  });

  test("comes back whole from its snapshot", () => {
    fc.assert(
      fc.property(batches, (changes) => {
        const table = build(changes);
        table.apply(
          batchOf(changes.length + 1, [], {
            decisions: [
              { region, directive: "astana-1", revision: 3, decision: "accepted", reason: "", missing: [] },
            ],
            revokedBatches: ["almaty-2"],
          }),
        );
        const restored = nationalFromLines(nationalLines(table));
        expect(hex(restored.digest)).toBe(hex(table.digest));
        expect([...nationalLines(restored)].toSorted()).toEqual([...nationalLines(table)].toSorted());
        expect(restored.sequence).toBe(changes.length + 1);
        expect(restored.decidedRevision("astana-1")).toBe(3);
        expect(restored.isRevokedBatch("almaty-2")).toBe(true);
        expect(restored.stopped).toBe(table.stopped);
      }),
    );
  });

  test("finds exactly what a scan over all rows finds", () => {
    fc.assert(
      fc.property(batches, digits, place, fc.boolean(), (changes, number, trunk, international) => {
        const found: string[] = [];
        const keep = ({ slot, target: key }: Entry): void => void found.push(`${slot}|${key}`);
        const table = build(changes);
        table.visitNumber({ number, trunk, international }, nowMs, keep);
        table.visitTrunk(trunk, nowMs, keep);
        const scanned = survivors(changes).filter(
          ({ row }) =>
            row?.$case === "entry" &&
            row.value.expiresAtMs > nowMs &&
            concerns(row.value, number, trunk, international),
        );
        expect(found.toSorted()).toEqual(scanned.map((row) => rowKey(row) ?? "").toSorted());
      }),
      { numRuns: 300 },
    );
  });

  test("finds nested and overlapping ranges among thousands as a scan does", () => {
    const ends = fc.tuple(fc.nat(99_999), fc.nat(2_000));
    fc.assert(
      fc.property(
        fc.array(ends, { minLength: 500, maxLength: 2_000 }),
        fc.array(fc.nat(99_999), { minLength: 20 }),
        (ranges, points) => {
          const numberOf = (index: number) => `+44700${String(index).padStart(6, "0")}`;
          const keys = [
            ...new Set(ranges.map(([from, width]) => `${numberOf(from)}-${numberOf(from + width)}`)),
          ];
          const table = tableOf(keys.map((key) => entryRow(key, "block")));
          for (const point of points) {
            const found: string[] = [];
            const where = { number: numberOf(point), trunk: "intl-1", international: true };
            table.visitNumber(where, nowMs, (each) => void found.push(each.target));
            expect(found.toSorted()).toEqual(keys.filter((key) => contains(key, numberOf(point))).toSorted());
          }
        },
      ),
      { numRuns: 10 },
    );
  });

  test("refuses a batch that is not the next, and nothing has changed", () => {
    const table = tableOf([entryRow("+442079460958", "block")]);
    const before = hex(table.digest);
    expect(() => table.apply(batchOf(3, [entryRow("+442079460959", "block")]))).toThrow(WrongSequence);
    expect(() => table.apply(batchOf(1, []))).toThrow(WrongSequence);
    expect([table.sequence, hex(table.digest)]).toEqual([1, before]);
  });

  test("says whether its digest is the one of the batch", () => {
    const rows = [entryRow("+442079460958", "block")];
    const digestAfter = tableOf(rows).digest;
    expect(new NationalTable(region).apply(batchOf(1, rows, { digestAfter }))).toBe(true);
    expect(new NationalTable(region).apply(batchOf(1, [], { digestAfter }))).toBe(false);
    expect(hex(new NationalTable(region).digest)).toBe("00".repeat(32));
  });

  test("has as digest the sum of its rows' SHA-256 modulo 2^256", () => {
    const keys = Array.from({ length: 50 }, (_, index) => `+4420794609${String(index).padStart(2, "0")}`);
    const rows = keys.map((key) => entry(key, "block"));
    const sum = rows
      .map((row) => BigInt(`0x${createHash("sha256").update(entryText(row)).digest("hex")}`))
      .reduce((total, each) => (total + each) % 2n ** 256n, 0n);
    const table = tableOf(rows.map((value) => ({ row: { $case: "entry", value } })));
    expect(hex(table.digest)).toBe(sum.toString(16).padStart(64, "0"));
  });

  test("keeps rows with words of a newer release in its digest and enforces nothing of them", () => {
    const odd = {
      row: { $case: "entry", value: { ...entry("+442079460958", "block"), slot: "whisper" } },
    } as const;
    const strange = { row: { $case: "entry", value: { ...entry("device:1", "block") } } } as const;
    const table = tableOf([odd, strange]);
    expect(table.size).toBe(2);
    table.visitNumber({ number: "+442079460958", trunk: "intl-1", international: true }, nowMs, () =>
      expect.unreachable(),
    );
    table.apply(
      batchOf(
        2,
        [odd, strange].map((row) => ({ row: { $case: "removed", value: rowKey(row) ?? "" } })),
      ),
    );
    expect([table.size, hex(table.digest)]).toEqual([0, "00".repeat(32)]);
  });

  test("refuses a snapshot that was cut short or changed", () => {
    const lines = [
      ...nationalLines(tableOf([entryRow("+442079460958", "block"), protectedRow("+77272500000", "dom-1")])),
    ];
    expect(() => nationalFromLines(lines.slice(0, -1))).toThrow(DamagedSnapshot);
    expect(() => nationalFromLines(lines.map((line) => line.replace("958", "959")))).toThrow(DamagedSnapshot);
    expect(() => nationalFromLines([])).toThrow(DamagedSnapshot);
    expect(() => nationalFromLines(["{"])).toThrow(DamagedSnapshot);
  });

  test("remembers decisions on own directives alone and forgets final ones in time", () => {
    const decided = { directive: "astana-1", revision: 2, decision: "revoked", reason: "", missing: [] };
    const table = new NationalTable(region);
    table.apply(
      batchOf(1, [], {
        decisions: [
          { ...decided, region },
          { ...decided, region: "almaty", directive: "almaty-1" },
        ],
      }),
    );
    expect([...table.decisions()].map((each) => each.directive)).toEqual(["astana-1"]);
    expect([...table.forgettingDecisionsBefore(nowMs)]).toEqual([]);
    expect(table.decidedRevision("astana-1")).toBe(2);
    expect([...table.forgettingDecisionsBefore(nowMs + 1)]).toEqual([]);
    expect(table.decidedRevision("astana-1")).toBe(0);
  });

  test("takes a batch as it is decoded from the stream", () => {
    const table = tableOf([entryRow("+442079460958", "block")]);
    const given = batchOf(1, [...table.rows()], { digestAfter: table.digest });
    const decoded: NationalChange = NationalBatch.decode(
      NationalBatch.encode(
        NationalBatch.fromPartial({
          ...given,
          digestAfter: Buffer.from(given.digestAfter),
        }),
      ).finish(),
    );
    expect(new NationalTable(region).apply(decoded)).toBe(true);
  });
});

function contains(key: string, number: string): boolean {
  const [from = "", to = ""] = key.split("-");
  return rangeContains({ from, to }, number);
}

/** What the key says, read anew for each row. */
function concerns(
  value: { target: string; action: string },
  number: string,
  trunk: string,
  international: boolean,
): boolean {
  const read = parseTargetKey(value.target);
  switch (read.kind) {
    case "number":
      return read.number === number;
    case "range":
      return rangeContains(read, number);
    case "trunk":
      return read.trunk === trunk;
    case "number-on-trunk":
      return (
        read.number === number && (read.trunk === trunk || (international && read.trunk === "international"))
      );
  }
}
