import { expect, test } from "vitest";
import { RegionKnowledge } from "../../services/coordination/domain/nation.ts";

test("a clock that was set back keeps no region heard that is gone", () => {
  const nowMs = 1_000_000;
  const knowledge = new RegionKnowledge("astana", nowMs);
  knowledge.heardAtMs = nowMs + 3_600_000;
  expect([knowledge.isCutOff(nowMs), knowledge.isAwaited(nowMs)]).toEqual([false, true]);
  expect([knowledge.isCutOff(nowMs + 16_000), knowledge.isAwaited(nowMs + 16_000)]).toEqual([true, true]);
  expect(knowledge.isAwaited(nowMs + 31_000)).toBe(false);
});
