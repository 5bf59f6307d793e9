import { Refusals } from "#domain/refusals.ts";
import type { TlsIdentity } from "#platform/config.ts";
import { call, channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import type { RefusedToken } from "#platform/identity.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { CentreClient } from "#proto/qalqan/centre/v1/centre.ts";
import { refusalsTellMs, tellWaitMs } from "./config.ts";

/**
 * Tokens that this replica refused: the region's centre has the audit, and is
 * told of each kind at once, then of sums. What it does not hear now is in the
 * next sum.
 */
export class RefusedTokens {
  readonly #refusals = new Refusals();

  note({ actor, region, reason }: RefusedToken, count = 1): void {
    const refused = { actor, region, what: "refused-token", detail: { reason } };
    this.#refusals.note(`${actor} ${reason}`, refused, count, Date.now());
  }

  /** Tells the centre until the signal. */
  async run(centreAddress: string, tls: TlsIdentity, log: Log, signal: AbortSignal): Promise<void> {
    while (await pause(refusalsTellMs, signal)) {
      const refused = this.#refusals.due(Date.now()).map(({ actor, region, detail }) => {
        const { reason = "", count } = JSON.parse(detail) as { reason?: string; count: number };
        return { actor, region, reason, count };
      });
      if (refused.length === 0) continue;
      const client = new CentreClient(centreAddress, channelCredentials(tls), channelOptions);
      try {
        await call(client.reportRefusals.bind(client), { refused }, { deadlineMs: tellWaitMs });
      } catch (error) {
        log.warn({ event: "refusals-untold", reason: String(error) }, "the audit could not be told of them");
        for (const { count, ...token } of refused) this.note(token, count);
      } finally {
        client.close();
      }
    }
  }
}
