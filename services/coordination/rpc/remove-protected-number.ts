import { parseE164 } from "#domain/number.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import type {
  ProtectedNumberView,
  RemoveProtectedNumberRequest,
} from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { unprotectNumber } from "../domain/commands.ts";

/** Ends the protection of a number; answers with what it was. */
export const removeProtectedNumber =
  (capital: Capital) =>
  async (request: RemoveProtectedNumberRequest, context: CallContext): Promise<ProtectedNumberView> => {
    const person = await context.person();
    const number = parseE164("number", request.number);
    const { originatesFrom, holder, revision } = await capital.carryOut(
      person,
      unprotectNumber(person, number),
    );
    return { number, originatesFrom, holder, nationalRevision: revision };
  };
