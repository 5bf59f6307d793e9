import { expect, test } from "vitest";
import type { Lane } from "#proto/names.ts";
import { CapitalState, laneName } from "../../services/coordination/domain/capital-state.ts";
import { RegionKnowledge } from "../../services/coordination/domain/nation.ts";

test("a clock that was set back keeps no region heard that is gone", () => {
  const nowMs = 1_000_000;
  const knowledge = new RegionKnowledge("astana", nowMs);
  knowledge.heardAtMs = nowMs + 3_600_000;
  expect([knowledge.isCutOff(nowMs), knowledge.isAwaited(nowMs)]).toEqual([false, true]);
  expect([knowledge.isCutOff(nowMs + 16_000), knowledge.isAwaited(nowMs + 16_000)]).toEqual([true, true]);
  expect(knowledge.isAwaited(nowMs + 31_000)).toBe(false);
});

test("a lane that does not come again is stood for by the epoch that its region opens instead", () => {
  const state = new CapitalState();
  const move = {
    region: "astana",
    lane: "urgent",
    epoch: 1,
    from: 0,
    leaf: new Uint8Array(),
    isMark: false,
  } as const;
  for (const [region, lane] of [
    ["astana", "urgent"],
    ["astana", "events"],
    ["almaty", "urgent"],
  ] as const)
    state.mustRead(laneName({ region, lane, epoch: 1 }), 100);
  const read = (moved: { region?: string; lane?: Lane; epoch?: number; to: number; opens?: boolean }) => {
    state.haveMoved([{ ...move, opens: false, ...moved }]);
    return state.isReadingAgain;
  };
  // Fed again so far, and not opened yet.
  expect(read({ epoch: 3, to: 40 })).toBe(true);
  expect(read({ epoch: 3, to: 41, opens: true })).toBe(true);
  expect(read({ lane: "events", epoch: 3, to: 9, opens: true })).toBe(true);
  expect(read({ region: "almaty", to: 99 })).toBe(true);
  expect(read({ region: "almaty", to: 100 })).toBe(false);
});
