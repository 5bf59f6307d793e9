import { Refusal } from "#domain/refusal.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import type { DirectiveView, GetDirectiveRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Capital } from "../capital.ts";
import { directiveView } from "../domain/directive-view.ts";
import { readDirective } from "../store/views.ts";

/** A directive as the capital knows it, of whichever region. */
export const getDirective =
  (capital: Capital) =>
  async ({ id }: GetDirectiveRequest, context: CallContext): Promise<DirectiveView> => {
    await context.person();
    const known = id.includes("\0") ? undefined : await readDirective(capital.database, id);
    if (known === undefined) {
      throw new Refusal({
        code: "not-found",
        field: "id",
        value: id,
        message: "the capital knows no directive of this id",
        remedy:
          "ask the centre of the region that the id begins with; one that is cut off has not told the capital yet",
      });
    }
    return directiveView(known, await capital.moment());
  };
