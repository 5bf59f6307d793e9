import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  beganAtMs,
  dueAtMs,
  labelOf,
  neededFrom,
  superfluous,
  type Backup,
} from "#platform/backup/retention.ts";
import { ancestorsIn, leadsTo } from "#platform/backup/timelines.ts";
import {
  checkpointOf,
  firstSegmentOf,
  LabelUnreadable,
  placeOf,
  segmentsBefore,
  segmentsBetween,
} from "#platform/backup/wal.ts";

const mebibyte = 1024 ** 2;
const hourMs = 3_600_000;

const hexadecimal = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
const segments = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 255 }))
  .map((parts) => parts.map(hexadecimal).join(""));
const backups = fc.uniqueArray(
  segments.map((firstSegment): Backup => ({
    label: `label of ${firstSegment}`,
    firstSegment,
    checkpoint: 0n,
  })),
  { maxLength: 12, selector: ({ firstSegment }) => firstSegment },
);

describe("names of WAL segments", () => {
  test("go over from one log to the next where the size of the segments says", () => {
    expect(segmentsBetween("0000000100000000000000FE", "000000010000000100000001", 16 * mebibyte)).toEqual([
      "0000000100000000000000FE",
      "0000000100000000000000FF",
      "000000010000000100000000",
      "000000010000000100000001",
    ]);
    expect(segmentsBetween("00000001000000000000003F", "000000010000000100000000", 64 * mebibyte)).toEqual([
      "00000001000000000000003F",
      "000000010000000100000000",
    ]);
  });

  test.each([
    ["000000010000000000000002", "000000010000000000000001"],
    ["000000010000000000000001", "000000020000000000000002"],
    ["00000001000000000000000", "000000010000000000000002"],
  ])("lead nowhere from %s to %s", (first, last) => {
    expect(() => segmentsBetween(first, last, 16 * mebibyte)).toThrow(RangeError);
  });

  test("are read from the label that PostgreSQL writes", () => {
    const label =
      "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: 0/2000080\n";
    expect(firstSegmentOf(label)).toBe("000000010000000000000002");
    expect(() => firstSegmentOf("START WAL LOCATION: 0/2000028\n")).toThrow(LabelUnreadable);
    expect(checkpointOf(label)).toBe(0x200_0080n);
    expect(() => checkpointOf("CHECKPOINT LOCATION: here\n")).toThrow(LabelUnreadable);
  });
});

describe("what is removed", () => {
  test("is never a backup among the newest, nor WAL at or after the beginning of one that is kept", () => {
    fc.assert(
      fc.property(
        backups,
        fc.uniqueArray(segments),
        fc.integer({ min: 1, max: 8 }),
        (all, archived, wanted) => {
          const leaving = superfluous(all, wanted);
          const kept = all.filter((backup) => !leaving.includes(backup));
          expect(kept).toHaveLength(Math.min(wanted, all.length));
          for (const { firstSegment } of leaving) {
            for (const newer of kept) expect(firstSegment < newer.firstSegment).toBe(true);
          }
          const from = neededFrom(kept);
          if (from === undefined) return;
          for (const removed of segmentsBefore(archived, from)) {
            for (const { firstSegment } of kept) expect(placeOf(removed) < placeOf(firstSegment)).toBe(true);
          }
        },
      ),
    );
  });

  test("is WAL with its parts and its labels, and nothing else", () => {
    const old = [
      "000000010000000000000003",
      "000000010000000000000003.partial",
      "000000010000000000000002.00000028.backup",
      "000000020000000000000003",
    ];
    const stays = [
      ...["000000010000000000000004", "00000002.history", "000000010000000000000003.new", "notes.txt"],
      "000000020000000100000000",
    ];
    expect(segmentsBefore([...stays, ...old], "0000000000000004")).toEqual(old);
  });

  test("is nothing while there is no backup", () => {
    expect(neededFrom([])).toBeUndefined();
  });
});

describe("the log leads from a base backup", () => {
  const on = (timeline: number, checkpoint: bigint): Backup => ({
    label: "20260302T120000Z",
    firstSegment: `${hexadecimal(timeline)}${hexadecimal(0)}${hexadecimal(2)}`,
    checkpoint,
  });
  // The third came from the second, and so did the fourth, by a restore to a later moment.
  const histories = new Map([
    [2, ancestorsIn("1\t0/3000000\tno recovery target specified\n")],
    [3, ancestorsIn("1\t0/3000000\tno recovery target specified\n\n2\t0/4000080\tbefore 2026-03-02\n")],
    [4, ancestorsIn("1\t0/3000000\tno recovery target specified\n\n2\t1/0\tno recovery target specified\n")],
  ]);

  test("to its own timeline, and to those that left it later", () => {
    expect(leadsTo(on(1, 0x2ff_ff80n), 1, histories)).toBe(true);
    expect([2, 3, 4].map((to) => leadsTo(on(1, 0x2ff_ff80n), to, histories))).toEqual([true, true, true]);
    expect([2, 3, 4].map((to) => leadsTo(on(2, 0x400_0080n), to, histories))).toEqual([true, false, true]);
    expect([2, 3, 4].map((to) => leadsTo(on(3, 0x400_0100n), to, histories))).toEqual([false, true, false]);
  });

  test("to the newest, unless that left before it", () => {
    expect(leadsTo(on(2, 0x400_0100n), undefined, histories)).toBe(true);
    expect(leadsTo(on(2, 0x1_0000_0000n), undefined, histories)).toBe(false);
    expect(leadsTo(on(3, 0x400_0100n), undefined, histories)).toBe(false);
    expect(leadsTo(on(4, 0x1_0000_0080n), undefined, histories)).toBe(true);
  });

  test("nowhere that no history tells of", () => {
    expect(leadsTo(on(1, 0n), 5, histories)).toBe(false);
    expect(leadsTo(on(5, 0n), undefined, histories)).toBe(true);
  });
});

describe("a backup is due", () => {
  const nowMs = Date.parse("2026-03-02T12:00:00Z");

  test("when the newest is as old as wanted, and at once when there is none", () => {
    expect(dueAtMs([], 24 * hourMs, nowMs)).toBe(nowMs);
    const made = ["20260301T000000Z", "20260302T060000Z"];
    expect(dueAtMs(made, 24 * hourMs, nowMs)).toBe(Date.parse("2026-03-03T06:00:00Z"));
  });

  test("also when a clock that went wrong has left a label of the future", () => {
    expect(dueAtMs(["20360301T000000Z"], 24 * hourMs, nowMs)).toBe(nowMs);
  });

  test("and its label is the time at which it was begun", () => {
    expect(labelOf(nowMs)).toBe("20260302T120000Z");
    expect(beganAtMs("20260302T120000Z")).toBe(nowMs);
    for (const text of ["20260302T120000Z.new", "20261302T120000Z", "lost+found", ""]) {
      expect(beganAtMs(text)).toBeUndefined();
    }
  });
});
