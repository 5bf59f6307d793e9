import type { Metadata } from "@grpc/grpc-js";
import { readFileSync } from "node:fs";
import { mintToken } from "#infra/local/identity.ts";
import { capitalPeople, operator, type LocalPerson } from "#infra/local/people.ts";
import { addressIn, readRunFile, type RunFile } from "#infra/local/run-file.ts";
import { bearer, channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import { CentreClient } from "#proto/qalqan/centre/v1/centre.ts";
import { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import { ScreeningClient } from "#proto/qalqan/screening/v1/screening.ts";
import type { NationAccess } from "./checker.ts";

const tokenSeconds = 6 * 3_600;

/** Reaches every service of the run on a data folder, as clients of the load do. */
export async function accessNation(dataFolder: string): Promise<NationAccess & Disposable> {
  const run = readRunFile(dataFolder);
  const { ca, certificate, key } = run.clients.cli;
  const channel = channelCredentials({
    ca: readFileSync(ca, "utf8"),
    cert: readFileSync(certificate, "utf8"),
    key: readFileSync(key, "utf8"),
  });
  const regions = run.regions.map((region) => ({
    region,
    centre: new CentreClient(addressIn(run, region, "centre", "grpc"), channel, channelOptions),
    screening: new ScreeningClient(addressIn(run, region, "screening", "grpc"), channel, channelOptions),
    operator: rememberedTokens(run, (index) => operator(region, index)),
  }));
  const coordination = new CoordinationClient(
    addressIn(run, "capital", "coordination", "grpc"),
    channel,
    channelOptions,
  );
  const reader = capitalPeople[0];
  if (reader === undefined) throw new Error("the sample data has nobody in the capital");
  return {
    regions,
    coordination,
    reader: bearer(await mintToken(run.identity.privateKey, reader, tokenSeconds)),
    [Symbol.dispose]() {
      coordination.close();
      for (const { centre, screening } of regions) {
        centre.close();
        screening.close();
      }
    },
  };
}

/** Tokens by number of the person, each minted once. */
function rememberedTokens(
  run: RunFile,
  person: (index: number) => LocalPerson,
): (index: number) => Promise<Metadata> {
  const minted = new Map<number, Promise<Metadata>>();
  return (index) => {
    const known = minted.get(index);
    if (known !== undefined) return known;
    const fresh = mintToken(run.identity.privateKey, person(index), tokenSeconds).then(bearer);
    minted.set(index, fresh);
    return fresh;
  };
}
