import type { ServerDuplexStream } from "@grpc/grpc-js";
import { endBecauseOfStop } from "#platform/grpc-server.ts";
import type { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Screener } from "../screener.ts";
import { withoutObserves } from "./screen.ts";

/** What a stopping service has been sent is read and answered within this time (ms): longer than any line's delay. */
const lastQuestionsMs = 100;

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
    const stop = () =>
      // After the timers of a turn comes its reading: what has arrived by then is answered too.
      setTimeout(() => setImmediate(() => call.writableEnded || endBecauseOfStop(call)), lastQuestionsMs);
    stopping.addEventListener("abort", stop, { once: true });
    const forget = () => stopping.removeEventListener("abort", stop);
    call.on("data", (request: ScreenRequest) => {
      if (call.writableEnded) return;
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
