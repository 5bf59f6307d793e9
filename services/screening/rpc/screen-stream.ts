import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { endBecauseOfStop } from "#platform/grpc-server.ts";
import type { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Screener } from "../screener.ts";
import { withoutObserves } from "./screen.ts";

/**
 * What a stopping service has been sent is read and answered: for the shortest
 * time (ms) because a line takes as long, beyond it while questions come or
 * answers wait to be read, and for the longest (ms) at most, since a switch
 * may go on asking.
 */
const lastQuestions = { leastMs: 100, mostMs: 2_000, lookMs: 10 } as const;

/**
 * Many questions on one stream, each answered in the turn in which it is read.
 * An unusable question is answered `allow`, reason `invalid-question`: an error
 * would end the stream, and with it other calls' questions. When the service
 * stops, what was sent to it is answered, then the stream ends `unavailable`:
 * the switch asks elsewhere, at once, what has no answer yet, or its own timer
 * lets the call go on.
 */
export const screenStream =
  (screener: Screener, stopping: AbortSignal) =>
  (call: ServerDuplexStream<ScreenRequest, ScreenResponse>): void => {
    let read = 0;
    const stop = () => void endWhenAnswered(call, () => read);
    stopping.addEventListener("abort", stop, { once: true });
    const forget = () => stopping.removeEventListener("abort", stop);
    call.on("data", (request: ScreenRequest) => {
      if (call.writableEnded) return;
      read += 1;
      if (call.write(withoutObserves(screener.answerAlways(request)))) return;
      // A switch that does not read its answers is not read from either.
      call.pause();
      call.once("drain", () => call.resume());
    });
    call.on("end", () => call.end());
    call.on("error", forget);
    call.on("cancelled", forget);
    call.on("finish", forget);
    if (stopping.aborted) stop();
  };

/** @param read how many questions were read so far */
async function endWhenAnswered(
  call: ServerDuplexStream<ScreenRequest, ScreenResponse>,
  read: () => number,
): Promise<void> {
  const sinceMs = performance.now();
  while (!call.writableEnded) {
    const before = read();
    await sleep(lastQuestions.lookMs);
    // After the timers of a turn comes its reading: what has arrived by then is read too.
    await turn();
    const tookMs = performance.now() - sinceMs;
    const isAnswered = read() === before && call.writableLength === 0;
    if (tookMs < lastQuestions.mostMs && (tookMs < lastQuestions.leastMs || !isAnswered)) continue;
    endBecauseOfStop(call);
    return;
  }
}
