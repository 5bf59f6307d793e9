import type { CallContext } from "#platform/grpc-server.ts";
import type {
  ListProtectedNumbersRequest,
  ListProtectedNumbersResponse,
} from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";

/** Every protected number, for everybody with a role. */
export const listProtectedNumbers =
  (capital: Capital) =>
  async (_: ListProtectedNumbersRequest, context: CallContext): Promise<ListProtectedNumbersResponse> => {
    await context.person();
    const numbers = await capital.protectedNumbers();
    return {
      numbers: numbers.map(({ number, originatesFrom, holder, revision }) => ({
        number,
        originatesFrom: [...originatesFrom],
        holder,
        nationalRevision: revision,
      })),
    };
  };
