import type { Log } from "#platform/log.ts";

/** What a copied stream is doing; `stopped` needs a person. */
export type LaneState = "starting" | "copying" | "away" | "stopped";

/** What every copied stream is doing, for the log and for `/ready`. */
export class LaneStates {
  readonly #log: Log;
  readonly #states = new Map<string, { readonly state: LaneState; readonly why: string }>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Notes a change, and logs it once. */
  set(lane: string, state: LaneState, why: string): void {
    const before = this.#states.get(lane);
    if (before?.state === state && (state !== "stopped" || before.why === why)) return;
    this.#states.set(lane, { state, why });
    if (state === "stopped")
      this.#log.error({ event: "lane-stopped", lane, why }, "a lane stopped and needs a person");
    else this.#log.info({ event: `lane-${state}`, lane, why }, "a lane changed");
  }

  /** One line a lane that is not copying; empty when all are. */
  describe(): string {
    return [...this.#states]
      .filter(([, { state }]) => state !== "copying")
      .map(([lane, { state, why }]) => `${lane} is ${state}${why === "" ? "" : `: ${why}`}`)
      .join("; ");
  }
}
