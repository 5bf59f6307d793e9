import fc from "fast-check";
import { Kysely, PostgresDialect } from "kysely";
import { describe, expect, test } from "vitest";
import { SealKeys } from "#domain/seal.ts";
import type { Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { EpochOpened } from "#proto/qalqan/events/v1/sync.ts";
import { CapitalState, laneName } from "../../services/coordination/domain/capital-state.ts";
import type { LaneMove } from "../../services/coordination/domain/changes.ts";
import { RegionKnowledge } from "../../services/coordination/domain/nation.ts";
import { furtherThan, haveHadTheirTime } from "../../services/coordination/domain/older-history.ts";
import { beginStep, takeIn } from "../../services/coordination/step.ts";

test("a clock that was set back keeps no region heard that is gone", () => {
  const nowMs = 1_000_000;
  const knowledge = new RegionKnowledge("astana", nowMs);
  knowledge.heardAtMs = nowMs + 3_600_000;
  expect([knowledge.isCutOff(nowMs), knowledge.isAwaited(nowMs)]).toEqual([false, true]);
  expect([knowledge.isCutOff(nowMs + 16_000), knowledge.isAwaited(nowMs + 16_000)]).toEqual([true, true]);
  expect(knowledge.isAwaited(nowMs + 31_000)).toBe(false);
});

describe("lanes that are to be read again before anything is folded", () => {
  const move = {
    region: "astana",
    lane: "urgent",
    epoch: 1,
    from: 0,
    leaf: new Uint8Array(),
    isMark: false,
    opened: undefined,
  } as const;
  type Move = Partial<Pick<LaneMove, "region" | "lane" | "epoch" | "opened">> & { readonly to: number };
  const capitalThatAwaits = (...lanes: readonly { region: string; lane: Lane }[]) => {
    const state = new CapitalState();
    for (const lane of lanes) state.mustRead(laneName({ ...lane, epoch: 1 }), 100, 20);
    return (moved: Move) => {
      state.haveMoved([{ ...move, ...moved }]);
      return state.isReadingAgain;
    };
  };

  test("are waited for each as far as it goes", () => {
    const read = capitalThatAwaits(
      { region: "astana", lane: "urgent" },
      { region: "almaty", lane: "urgent" },
    );
    expect(read({ to: 100 })).toBe(true);
    expect(read({ region: "almaty", to: 99 })).toBe(true);
    expect(read({ region: "almaty", to: 100 })).toBe(false);
  });

  test("are stood for by the next epoch as far as the hub did not have them when that was opened", () => {
    const opened = { previousEpoch: 1, hubLast: 0 };
    const read = capitalThatAwaits(
      { region: "astana", lane: "urgent" },
      { region: "astana", lane: "events" },
    );
    // Fed again so far, and not opened yet.
    expect(read({ epoch: 3, to: 40 })).toBe(true);
    expect(read({ epoch: 3, to: 41, opened })).toBe(true);
    expect(read({ lane: "events", epoch: 3, to: 9, opened })).toBe(false);
  });

  test("are read to the end of what the hub had, however soon it is heard that another was opened", () => {
    const read = capitalThatAwaits({ region: "astana", lane: "urgent" });
    expect(read({ epoch: 2, to: 3, opened: { previousEpoch: 1, hubLast: 90 } })).toBe(true);
    expect(read({ to: 89 })).toBe(true);
    expect(read({ to: 90 })).toBe(false);
  });
});

test("an epoch that is opened with a revoked key ends no waiting for the one before it", async () => {
  const pool = () => Promise.reject(new Error("nothing is asked of PostgreSQL"));
  const database = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  const revokedAtMs = 1_000;
  const opened = async (heardAtMs: number) => {
    const state = new CapitalState();
    state.region("astana", 0).keyChanges = [{ atMs: revokedAtMs, change: "revoked" }];
    state.mustRead(laneName({ region: "astana", lane: "urgent", epoch: 1 }), 100, 20);
    const value = EpochOpened.fromPartial({ lane: "urgent", epoch: 2, previousEpoch: 1, hubLast: 20 });
    const event = Event.fromPartial({ body: { $case: "epochOpened", value } });
    const place = {
      region: "astana",
      lane: "urgent",
      epoch: 2,
      stream: "UPU_astana_2",
      sequence: 1,
    } as const;
    const step = beginStep(state, 2_000);
    const message = { ...place, event, rows: 1, heardAtMs, leaf: new Uint8Array() };
    await takeIn(step, [message], undefined, state, database);
    state.haveMoved(step.changes.lanes);
    return state.isReadingAgain;
  };
  expect(await opened(revokedAtMs - 1)).toBe(false);
  expect(await opened(revokedAtMs)).toBe(true);
});

test("regions have 15 s beside a hub that knows them, and beside an empty one until most were heard, for 100 s at most", () => {
  fc.assert(
    fc.property(fc.nat(20), fc.integer({ min: 1, max: 20 }), fc.nat(200), (fresh, regions, seconds) => {
      const heard = { fresh, regions, waitedMs: seconds * 1_000 };
      expect(haveHadTheirTime({ ...heard, isHubEmpty: false })).toBe(seconds >= 15);
      const isOver = fresh > regions / 2 || seconds >= 100;
      expect(haveHadTheirTime({ ...heard, isHubEmpty: true })).toBe(isOver);
    }),
  );
});

test("the capital is older than the nation where two regions and most say so; no region says it alone, however few there are", () => {
  const chain = { epoch: 1, keys: new SealKeys({}), keyId: "" };
  fc.assert(
    fc.property(fc.nat(20), fc.integer({ min: 1, max: 20 }), (further, regions) => {
      const claims = Array.from({ length: regions }, (_, index) => ({
        region: `region ${index}`,
        last: index < further ? 2 ** 40 : 5,
        seal: undefined,
      }));
      const saying = Math.min(further, regions);
      const told = furtherThan(claims, regions, 5, chain);
      expect(told !== undefined).toBe(saying >= 2 && saying > regions / 2);
    }),
  );
});
