import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { checkoutFolder } from "#infra/local/launch.ts";
import { addressIn, readRunFile } from "#infra/local/run-file.ts";
import { channelCredentials, channelOptions, RemoteError } from "#platform/grpc-client.ts";
import { pause } from "#platform/lifecycle.ts";
import { ScreeningClient } from "#proto/qalqan/screening/v1/screening.ts";
import { CommandFailed } from "../failure.ts";
import { first } from "../people.ts";
import type { CoordinationRemote, Session } from "../session.ts";
import { readCampaignNumbers } from "./campaign-numbers.ts";
import type { Population } from "./population.ts";
import type { TrafficAccess } from "./run.ts";

const retryWaitMs = 500;

/**
 * Reaches the screening of regions as their switches do: by the certificate of
 * a switch, as nobody in particular.
 *
 * @param dataFolder of the local run
 * @param slugs all that run when empty
 * @throws LocalRunError `not-running`, `unknown-region`; CommandFailed
 */
export async function accessAsSwitch(
  session: Session,
  dataFolder: string,
  slugs: readonly string[],
  population: Population,
  signal: AbortSignal,
): Promise<TrafficAccess> {
  const run = readRunFile(dataFolder);
  const { ca, certificate, key } = run.clients.switch;
  const channel = channelCredentials({
    ca: readFileSync(ca, "utf8"),
    cert: readFileSync(certificate, "utf8"),
    key: readFileSync(key, "utf8"),
  });
  const chosen = slugs.length === 0 ? run.regions : [...new Set(slugs)];
  const regions = loadRegions();
  const protectedNumbers = await listProtected(
    await session.coordination(first("central-prosecutor", "")),
    signal,
  );
  return {
    regions: chosen.map((slug) => {
      const address = addressIn(run, slug, "screening", "grpc");
      const region = regions.find((candidate) => candidate.slug === slug);
      if (region === undefined) throw unknownRegion(slug, run.regions);
      return { region, screening: new ScreeningClient(address, channel, channelOptions) };
    }),
    campaignNumbers: readCampaignNumbers(join(checkoutFolder, population.campaigns.numbersFolder)),
    protectedNumbers,
  };
}

/** What fraudsters like to show. Coordination may be on its way up. */
async function listProtected(
  coordination: CoordinationRemote,
  signal: AbortSignal,
): Promise<readonly string[]> {
  for (;;) {
    try {
      const { numbers } = await coordination.call("listProtectedNumbers", {});
      return numbers.map(({ number }) => number);
    } catch (error) {
      if (!(error instanceof RemoteError) || !error.isOutage) throw error;
      if (!(await pause(retryWaitMs, signal))) return [];
    }
  }
}

function unknownRegion(value: string, known: readonly string[]): CommandFailed {
  return new CommandFailed({
    code: "unknown-region",
    field: "regions",
    value,
    message: `there is no region ${value}`,
    remedy: `running here: ${known.join(", ")}`,
  });
}
