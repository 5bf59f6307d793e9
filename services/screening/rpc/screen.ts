import type { Role } from "#domain/vocabulary.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import { isKnownHere } from "#platform/identity.ts";
import type { ScreenRequest, ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Screener } from "../screener.ts";

/** Who may learn that a number is observed: those who investigate, and no carrier. */
const investigators: readonly Role[] = ["operator", "analyst", "regional-prosecutor", "central-prosecutor"];

/**
 * One question, one answer. A trial's explanation names what observes the
 * number only to a person of the region or the capital who may know; a certificate alone is a
 * switch's.
 *
 * @throws InvalidInput for a question without called number or trunk
 */
export const screen =
  (screener: Pick<Screener, "answer">, region: string) =>
  (
    request: ScreenRequest,
    context: Pick<CallContext, "person">,
  ): ScreenResponse | Promise<ScreenResponse> => {
    const response = screener.answer(request);
    const shown = withoutObserves(response);
    return shown === response ? response : forPerson(response, shown, region, context);
  };

/** The answer as whoever has no more than a certificate gets it. */
export function withoutObserves(response: ScreenResponse): ScreenResponse {
  const matches = response.matches.filter(({ action }) => action !== "observe");
  return matches.length === response.matches.length ? response : { ...response, matches };
}

async function forPerson(
  response: ScreenResponse,
  shown: ScreenResponse,
  here: string,
  context: Pick<CallContext, "person">,
): Promise<ScreenResponse> {
  try {
    const person = await context.person();
    return investigators.includes(person.role) && isKnownHere(person, here) ? response : shown;
  } catch {
    // No token, or none that is valid: the question is answered even so.
    return shown;
  }
}
