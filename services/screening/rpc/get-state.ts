import type { GetStateRequest, GetStateResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { CapitalHeartbeat } from "../consumers/capital-heartbeat.ts";
import type { Enforcement } from "../enforcement.ts";
import type { Replica } from "../domain/receipt.ts";
import type { Screener } from "../screener.ts";

/** What this replica enforces and how far it is. */
export const getState =
  (replica: Replica, enforcement: Enforcement, heartbeat: CapitalHeartbeat, screener: Screener) =>
  (_request: GetStateRequest): GetStateResponse => {
    const { table, overlay, ready, nationalEpoch } = enforcement;
    return {
      region: replica.region,
      replica: replica.replica,
      bootId: replica.bootId,
      ready,
      nationalEpoch,
      nationalSequence: table.sequence,
      digest: Buffer.from(table.digest),
      entries: table.size,
      overlayEntries: overlay.size,
      stalenessMs: heartbeat.stalenessMs,
      questions: screener.questions,
      eventsSequence: overlay.eventsSequence,
      urgentSequence: overlay.urgentSequence,
    };
  };
