import type { CallContext } from "#platform/grpc-server.ts";
import type { GetStatusRequest, NationStatus } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";

/** Where the nation stands; for everybody with a role. */
export const getStatus =
  (capital: Capital) =>
  async (_: GetStatusRequest, context: CallContext): Promise<NationStatus> => {
    await context.person();
    return capital.status();
  };
