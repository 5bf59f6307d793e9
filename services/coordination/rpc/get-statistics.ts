import { InvalidInput } from "#domain/invalid-input.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import type { GetStatisticsRequest, Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { unattributed } from "../domain/statistics.ts";

/** Figures of the nation, or of one region, since a time; for everybody with a role. */
export const getStatistics =
  (capital: Capital) =>
  async ({ region, sinceMs }: GetStatisticsRequest, context: CallContext): Promise<Statistics> => {
    await context.person();
    const known = [unattributed, ...(await capital.moment()).regions.map((each) => each.region)];
    if (region !== "" && !known.includes(region)) {
      throw new InvalidInput({
        code: "unknown-region",
        field: "region",
        value: region,
        message: "is not a region of this nation",
        remedy: `Give one of: ${known.join(", ")}; or nothing for the nation.`,
      });
    }
    return capital.statistics(region, sinceMs);
  };
