import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Screener } from "../screener.ts";
import { withoutObserves } from "./screen.ts";

/**
 * Many questions on one stream, each answered in the turn in which it is read.
 * An unusable question is answered `allow`, reason `invalid-question`: an error
 * would end the stream, and with it other calls' questions. When the service
 * stops, what has been read is answered and the stream ends with OK; the switch
 * asks again elsewhere, or its own timer lets the call go on.
 */
export const screenStream =
  (screener: Screener, stopping: AbortSignal) =>
  (call: ServerDuplexStream<ScreenRequest, ScreenResponse>): void => {
    const end = () => call.end();
    stopping.addEventListener("abort", end, { once: true });
    const forget = () => stopping.removeEventListener("abort", end);
    call.on("data", (request: ScreenRequest) => {
      if (call.writableEnded) return;
      if (call.write(withoutObserves(screener.answerAlways(request)))) return;
      // A switch that does not read its answers is not read from either.
      call.pause();
      call.once("drain", () => call.resume());
    });
    call.on("end", end);
    call.on("error", forget);
    call.on("cancelled", forget);
    call.on("finish", forget);
    if (stopping.aborted) end();
  };
