import type { Log } from "#platform/log.ts";

/** What a copied stream is doing; `stopped` needs a person. */
export type LaneState = "starting" | "copying" | "behind" | "refilling" | "away" | "stopped";

interface Known {
  readonly state: LaneState;
  readonly why: string;
}

/** What every copied stream is doing, for the log, for `/ready` and for the heartbeat. */
export class LaneStates {
  readonly #log: Log;
  readonly #states = new Map<string, Known>();
  /** Last sequence at the hub, as it was heard. */
  readonly #hubLast = new Map<string, number>();

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

  /** A stream that is not copied any more. */
  forget(lane: string): void {
    this.#states.delete(lane);
    this.#hubLast.delete(lane);
  }

  /** The hub has said where it ends. */
  heard(lane: string, hubLast: number): void {
    this.#hubLast.set(lane, hubLast);
  }

  stateOf(lane: string): LaneState | undefined {
    return this.#states.get(lane)?.state;
  }

  /** 0: it was never heard. */
  hubLastOf(lane: string): number {
    return this.#hubLast.get(lane) ?? 0;
  }

  /** One line a lane that is not copying; empty when all are. */
  describe(): string {
    return [...this.#states]
      .filter(([, { state }]) => state !== "copying")
      .map(([lane, { state, why }]) => `${lane} is ${state}${why === "" ? "" : `: ${why}`}`)
      .join("; ");
  }
}
