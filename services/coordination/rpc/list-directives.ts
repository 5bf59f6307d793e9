import { parseDirectiveState } from "#domain/vocabulary.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import type { DirectiveView, ListDirectivesRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Capital } from "../capital.ts";
import { directiveView } from "../domain/directive-view.ts";
import { readDirectives, type ListPosition } from "../store/views.ts";

const listedWithoutLimit = 1_000;
const pageRows = 500;

/** Directives of all regions, the latest first. */
export const listDirectives = (capital: Capital) =>
  async function* (request: ListDirectivesRequest, context: CallContext): AsyncGenerator<DirectiveView> {
    await context.person();
    const state = request.state === "" ? "" : parseDirectiveState("state", request.state);
    const batch = request.batch.includes("\0") ? "none" : request.batch;
    const moment = await capital.moment();
    let left = request.limit === 0 ? listedWithoutLimit : request.limit;
    let position: ListPosition | undefined;
    do {
      const page = await readDirectives(capital.database, { state, batch }, position, pageRows, moment.nowMs);
      for (const known of page.known) {
        const view = directiveView(known, moment);
        if (state !== "" && view.state !== state) continue;
        if (left === 0 || context.signal.aborted) return;
        left -= 1;
        yield view;
      }
      position = page.position;
    } while (position !== undefined && left > 0);
  };
