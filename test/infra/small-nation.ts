import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, nkeyAuthenticator, type NatsConnection } from "nats";
import { startNation, type Nation, type NationOptions } from "#infra/local/nation.ts";
import type { NationStatus } from "#infra/local/control.ts";
import { addressIn } from "#infra/local/run-file.ts";
import { StolenLine, type StolenCredentials } from "#test/attacks/stolen-line.ts";

/** A data folder that goes with its test. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "qalqan-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Servers without the services of the project, ready. */
export async function startServers(
  dataFolder: string,
  regions: readonly string[],
  only: NonNullable<NationOptions["only"]> = ["nats"],
  backups?: string,
): Promise<Nation & AsyncDisposable> {
  const nation = await startNation({
    dataFolder,
    regions,
    only,
    ...(backups === undefined ? {} : { backups }),
  });
  try {
    await nation.ready;
  } catch (error) {
    await nation.stop();
    throw error;
  }
  return Object.assign(nation, { [Symbol.asyncDispose]: () => nation.stop() });
}

/** Connects to a site's server by the nkey of one of its users. */
export async function connectAs(
  nation: Pick<Nation, "run">,
  site: string,
  user: string,
): Promise<NatsConnection & AsyncDisposable> {
  const secrets = join(nation.run.dataFolder, site, "secrets");
  const { ca, certificate, key } = nation.run.clients.cli;
  const connection = await connect({
    servers: nation.run.sites[site]?.nats?.["client"] ?? "",
    authenticator: nkeyAuthenticator(readFileSync(join(secrets, `nats-${user}`))),
    tls: { caFile: ca, certFile: certificate, keyFile: key },
  });
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

/** Waits until something holds; fails with its name after a while. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  waitMs = 60_000,
): Promise<void> {
  const end = Date.now() + waitMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${waitMs} ms: ${what}`);
    await sleep(50);
  }
}

export function stateOf(status: NationStatus, region: string, service: string) {
  const found = status.services.find((entry) => entry.region === region && entry.service === service);
  if (found === undefined) throw new Error(`${region}/${service} is not in the status`);
  return found;
}

/** A second line to the hub with the key of a region that runs, as a thief has it who has read its pod. */
export async function steal(
  nation: Nation,
  region: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<StolenLine> {
  return StolenLine.open(leafAddress(nation), stolenFrom(nation, region), more);
}

/** What can be stolen from a region that runs, as it is now. */
export function stolenFrom(nation: Nation, region: string): StolenCredentials {
  const secrets = join(nation.run.dataFolder, region, "secrets");
  return {
    seed: readFileSync(join(secrets, "nats-leaf")),
    caFile: nation.run.clients.cli.ca,
    certificateFile: join(secrets, "nats-certificate.pem"),
    keyFile: join(secrets, "nats-certificate.key.pem"),
  };
}

export const leafAddress = (nation: Nation): string => addressIn(nation.run, "capital", "nats", "leaf");
