import type { CallContext } from "#platform/grpc-server.ts";
import type {
  SetNationalStopRequest,
  SetNationalStopResponse,
} from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { setStop } from "../domain/commands.ts";

/** Puts every trunk of the nation into shadow, or takes that back. */
export const setNationalStop =
  (capital: Capital) =>
  async ({ stopped }: SetNationalStopRequest, context: CallContext): Promise<SetNationalStopResponse> => {
    const person = await context.person();
    const { revision } = await capital.carryOut(person, setStop(person, stopped));
    return { stopped, nationalRevision: revision };
  };
