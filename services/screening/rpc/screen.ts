import type { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Screener } from "../screener.ts";

/** One question, one answer; @throws InvalidInput for a question without called number or trunk. */
export const screen =
  (screener: Screener) =>
  (request: ScreenRequest): ScreenResponse =>
    screener.answer(request);
