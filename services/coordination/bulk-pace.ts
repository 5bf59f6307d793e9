import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hearReceipts } from "./consumers/live-receipts.ts";
import { BulkFlow } from "./domain/bulk-flow.ts";

/** A message that changes more rows is bulk: regions need a moment for it. */
const bulkRowsMin = 64;

/**
 * The pace of bulk: it hears how far the regions are, and names those that it
 * does not wait for. By a clock that nobody sets: one set back would have bulk
 * wait for a silent region until it caught up.
 */
export class BulkPace {
  readonly #flow = new BulkFlow();
  readonly #log: Log;
  readonly #moved: () => void;
  #behind = "";
  #isHeld = false;

  /** @param moved is called when bulk that was held may perhaps go on */
  constructor(log: Log, moved: () => void) {
    this.#log = log;
    this.#moved = moved;
  }

  async run(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    await hearReceipts(
      connection,
      (region, { replica, nationalSequence, ready }) => {
        this.#flow.heard(region, replica, nationalSequence, ready, performance.now());
        if (this.#isHeld) this.#moved();
      },
      signal,
    );
  }

  /** A message of NATIONAL was committed. */
  published(sequence: number, rows: number): void {
    if (rows > bulkRowsMin) this.#flow.published(sequence, performance.now());
  }

  mayGoOn(): boolean {
    const goesOn = this.#flow.mayGoOn(performance.now());
    const behind = this.#flow.behind.join();
    if (behind !== this.#behind)
      this.#log.warn({ regions: behind, before: this.#behind }, "regions are behind, and not waited for");
    this.#behind = behind;
    this.#isHeld = !goesOn;
    return goesOn;
  }
}
