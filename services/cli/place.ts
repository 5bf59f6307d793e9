import { readFileSync } from "node:fs";
import { mintToken } from "#infra/local/identity.ts";
import type { LocalPerson } from "#infra/local/people.ts";
import { addressIn, readRunFile, type RunFile } from "#infra/local/run-file.ts";
import { CommandFailed, WrongUse } from "./failure.ts";
import { dataFolderOf } from "./login-file.ts";
import type { GlobalOptions } from "./options.ts";

export type AskedService = "centre" | "screening" | "coordination";

/** Where the services are, and what proves to them who asks. */
export interface Place {
  /** Regions that run now, in the order in which they were started; elsewhere none are known. */
  readonly regions: readonly string[];
  /** Every region of the nation, also those that do not run now. */
  readonly nation: readonly string[];
  readonly tls: { readonly ca: string; readonly cert?: string; readonly key?: string };
  /** `host:port`; the region does not matter for coordination. @throws CommandFailed */
  address(service: AskedService, region: string): string;
  /** @throws CommandFailed where the identity is not ours */
  mintToken(person: LocalPerson, seconds: number): Promise<string>;
}

/**
 * The run on a data folder.
 *
 * @throws LocalRunError `not-running`
 */
export async function localRun(options: GlobalOptions): Promise<Place> {
  const run = readRunFile(dataFolderOf(options));
  const { ca, certificate, key } = run.clients.cli;
  const nation = nationOf(run);
  return {
    regions: run.regions,
    nation,
    tls: {
      ca: readFileSync(ca, "utf8"),
      cert: readFileSync(certificate, "utf8"),
      key: readFileSync(key, "utf8"),
    },
    address: (service, region) => {
      if (service === "coordination") return addressIn(run, "capital", "coordination", "grpc");
      requireRunning(run, nation, region);
      return addressIn(run, region, service, "grpc");
    },
    mintToken: (person, seconds) => mintToken(run.identity.privateKey, person, seconds),
  };
}

function nationOf(run: RunFile): string[] {
  const regions = JSON.parse(readFileSync(run.regionsFile, "utf8")) as readonly { slug: string }[];
  return regions.map(({ slug }) => slug);
}

function requireRunning(run: RunFile, nation: readonly string[], region: string): void {
  if (run.regions.includes(region)) return;
  const belongs = nation.includes(region);
  throw new CommandFailed({
    code: belongs ? "unavailable" : "unknown-region",
    field: "region",
    value: region,
    message: belongs ? `the region ${region} does not run now` : `no region ${region} is in this nation`,
    remedy: belongs
      ? `start it: npx qalqan start --regions ${[...run.regions, region].join(",")}`
      : `give one of these regions: ${run.regions.join(", ")}`,
  });
}

/**
 * One server elsewhere, as --server, --ca, --token, --cert and --key say.
 *
 * @throws WrongUse naming the option that is missing or cannot be read
 */
export function elsewhere(server: string, options: GlobalOptions): { place: Place; token: string } {
  const address = server.replace(/^(https|grpcs|grpc):\/\//, "").replace(/\/$/, "");
  if (!/^[^\s:/]+:\d{1,5}$/.test(address)) {
    throw new WrongUse({
      field: "server",
      value: server,
      message: "this is not the address of a server",
      remedy: "give host:port, for example centre.astana.example:7443",
    });
  }
  const tls = { ca: requiredFile("ca", options.ca) };
  const own =
    options.cert === undefined && options.key === undefined
      ? {}
      : { cert: requiredFile("cert", options.cert), key: requiredFile("key", options.key) };
  const place: Place = {
    regions: [],
    nation: [],
    tls: { ...tls, ...own },
    address: () => address,
    mintToken: async () => {
      throw new CommandFailed({
        code: "unauthenticated",
        field: "token",
        value: "",
        message: "sample people exist in the local run alone",
        remedy: "give a file with your token: --token FILE",
      });
    },
  };
  return { place, token: requiredFile("token", options.token) };
}

function requiredFile(option: string, file: string | undefined): string {
  if (file !== undefined) return readOptionFile(option, file);
  throw new WrongUse({
    field: option,
    value: "",
    message: `--${option} goes with what was given`,
    remedy:
      "elsewhere than in the local run: --server HOST:PORT --ca FILE --token FILE [--cert FILE --key FILE]",
  });
}

/** @throws WrongUse when the file that an option names cannot be read */
export function readOptionFile(option: string, file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new WrongUse({
      field: option,
      value: file,
      message: `the file cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "give the path of a readable file",
    });
  }
}
