import type { CallContext } from "#platform/grpc-server.ts";
import { pause } from "#platform/lifecycle.ts";
import type { GetStatusRequest, NationStatus } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";

const lookIntervalMs = 200;
/** Says that the line lives also when nothing changes. */
const repeatIntervalMs = 5_000;

/** The status at once, and again whenever it changes, until the client ends. */
export const watchStatus = (capital: Capital) =>
  async function* (_: GetStatusRequest, context: CallContext): AsyncGenerator<NationStatus> {
    await context.person();
    let before = "";
    let sentAtMs = 0;
    do {
      const status = await capital.status();
      const now = substance(status);
      if (now !== before || status.atMs - sentAtMs >= repeatIntervalMs) {
        before = now;
        sentAtMs = status.atMs;
        yield status;
      }
    } while (await pause(lookIntervalMs, context.signal));
  };

/** What is a change: not that time goes by. */
function substance(status: NationStatus): string {
  return JSON.stringify({
    ...status,
    atMs: 0,
    digest: status.digest.toString("hex"),
    regions: status.regions.map((region) => ({
      ...region,
      stalenessMs: 0,
      digest: region.digest.toString("hex"),
    })),
  });
}
