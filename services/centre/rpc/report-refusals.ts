import type { ReportRefusalsRequest, ReportRefusalsResponse } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import type { RefusedAccess } from "../refused-access.ts";
import { requireScreening } from "./people.ts";

/**
 * Takes in what this region's screening refused: it has no audit of its own.
 *
 * @throws Refusal `forbidden` unless told by this region's screening
 */
export function reportRefusals(
  centre: Centre,
  refusedAccess: RefusedAccess,
  { refused }: ReportRefusalsRequest,
  peer: string,
): ReportRefusalsResponse {
  requireScreening(centre, peer);
  for (const { count, ...token } of refused) refusedAccess.note("screening", token, count);
  return {};
}
