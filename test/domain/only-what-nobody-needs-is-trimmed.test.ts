import fc from "fast-check";
import { expect, test } from "vitest";
import * as hub from "../../services/coordination/domain/trim.ts";
import * as region from "../../services/replication/domain/trim.ts";

const number = fc.integer({ min: 0, max: 40 });
const stream = fc
  .record({
    first: fc.integer({ min: 1, max: 20 }),
    length: number,
    agedOf: number,
    kept: number,
    isFull: fc.boolean(),
  })
  .map(({ first, length, agedOf, kept, isFull }) => {
    const last = first + length - 1;
    return { first, last, aged: Math.min(last, agedOf), keptMessages: kept, isFull };
  });
/** How far somebody has come; undefined: it is not known. */
const progress = fc.option(number, { nil: undefined });

test("a lane at the hub keeps what is not applied, not archived, young, or among the newest", () => {
  fc.assert(
    fc.property(stream, number, progress, (lane, applied, archived) => {
      const upTo = hub.trimLane(lane, applied, archived) ?? 0;
      expect(upTo).toBeLessThanOrEqual(applied);
      expect(upTo).toBeLessThanOrEqual(archived ?? Infinity);
      expect(upTo).toBeLessThanOrEqual(Math.max(0, lane.last - lane.keptMessages));
      expect(lane.isFull || upTo <= lane.aged).toBe(true);
    }),
  );
});

test("NATIONAL at the hub keeps everything since the last snapshot but one, FOR what its region has not named", () => {
  fc.assert(
    fc.property(stream, fc.array(number, { maxLength: 3 }), progress, (national, snapshots, held) => {
      const newestFirst = snapshots.toSorted((left, right) => right - left);
      expect(hub.trimNational(national, newestFirst, undefined) ?? 0).toBeLessThanOrEqual(
        newestFirst[1] ?? 0,
      );
      expect(hub.trimForRegion(national, held) ?? 0).toBeLessThanOrEqual(held ?? 0);
    }),
  );
});

test("a region keeps what the hub has not, and of its copy of NATIONAL what its own snapshot does not cover", () => {
  fc.assert(
    fc.property(stream, number, progress, (kept, hubLast, snapshot) => {
      expect(region.trimLane(kept, hubLast) ?? 0).toBeLessThanOrEqual(Math.min(hubLast, kept.last));
      expect(region.trimNational(kept, snapshot) ?? 0).toBeLessThanOrEqual(snapshot ?? 0);
      expect(region.trimForRegion(kept) ?? 0).toBeLessThanOrEqual(kept.aged);
    }),
  );
});

test("what everybody has, is old and is not among the newest goes, and nothing is trimmed twice", () => {
  fc.assert(
    fc.property(stream, (lane) => {
      const upTo = hub.trimLane(lane, lane.last, lane.last);
      const room = Math.min(lane.isFull ? lane.last : lane.aged, lane.last - lane.keptMessages);
      expect(upTo).toBe(room >= lane.first ? room : undefined);
    }),
  );
});
