import { spawn } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  hubAccounts,
  hubConfiguration,
  leafSeedFile,
  regionConfiguration,
} from "#infra/blueprint/nats-configuration.ts";
import { secretName } from "#infra/blueprint/parts.ts";
import { capitalSite, type NatsServer, type Stack } from "#infra/blueprint/stack.ts";
import { trustedAuthorities, trustedNkeys } from "#infra/keys/public-keys.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { temporaryFolder, until } from "#test/infra/small-nation.ts";
import { Restartable } from "#test/replication/servers.ts";
import { givenDeployment, makeKeys, type GivenDeployment } from "./given-deployment.ts";

/** A reload is done by then, and a region has tried its line again: it does every second. */
const settleMs = 1_500;
const regions = ["almaty", "astana"] as const;

let given: GivenDeployment;
let place: ReturnType<typeof temporaryFolder>;
let ports: Ports;
const servers = new Map<string, Restartable>();

beforeAll(async () => {
  given = await givenDeployment();
  await makeKeys(given, capitalSite, "astana");
  place = temporaryFolder();
  ports = new Ports(DataFolder.create(place.path));
  await ports.prepare(
    [capitalSite, ...regions].flatMap((site) =>
      ["client", "leaf", "monitor"].map((port) => `${site}/${port}`),
    ),
  );
});
afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.stop("SIGKILL")));
  place[Symbol.dispose]();
  given[Symbol.dispose]();
});

function natsOf(stack: Stack): NatsServer {
  for (const { program } of stack.workloads) if (program.kind === "nats") return program.server;
  throw new Error(`${stack.site} has no NATS server`);
}

/** Writes what a site's server reads, from the keys as they are now. */
async function roll(site: string, listed: readonly string[] = []): Promise<void> {
  const { stack } = given.deployment.keyOrder(site);
  const keys = await given.deployment.keys(site);
  const folder = join(place.path, site);
  mkdirSync(join(folder, "jetstream"), { recursive: true });
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const server = natsOf(stack);
  const others = site === capitalSite ? listed : [capitalSite];
  const natsPlace = {
    listen: (port: string) => ports.address(`${site}/${port}`),
    caFile: write("ca.pem", keys.file(server.certificateSecret, "ca")),
    lineCaFile: write(
      "line-ca.pem",
      trustedAuthorities(others.map((other) => given.deployment.publicKeys(other))),
    ),
    certificateFile: write("nats.pem", keys.file(server.certificateSecret, "certificate")),
    keyFile: write("nats.key.pem", keys.file(server.certificateSecret, "key")),
    storageFolder: join(folder, "jetstream"),
    secretFile: "secret.conf",
  };
  if (server.hub === undefined) {
    const accounts = hubAccounts({
      coordination: keys.publicKeys(secretName.natsUser("coordination")),
      system: keys.publicKeys(secretName.system),
      leaf: new Map(
        listed.map((slug) => [slug, trustedNkeys(given.deployment.publicKeys(slug), secretName.leaf)]),
      ),
    });
    write("secret.conf", accounts);
    write("nats.conf", hubConfiguration(server, natsPlace));
  } else {
    write("secret.conf", leafSeedFile(keys.file(server.hub.seedSecret)));
    const hub = ports.address(`${capitalSite}/leaf`);
    write(
      "nats.conf",
      regionConfiguration(stack, server, natsPlace, hub, (secret) => keys.publicKeys(secret)),
    );
  }
}

function start(site: string): void {
  const server = new Restartable(() =>
    spawn(findTool("nats-server"), ["--config", join(place.path, site, "nats.conf")], { stdio: "ignore" }),
  );
  servers.set(site, server);
  server.start();
}

const restart = async (site: string) => servers.get(site)?.killAndRestart();
const reload = (site: string) => process.kill(servers.get(site)?.pid ?? 0, "SIGHUP");

/** Names of the regions' servers that have a line to the hub, with the moment at which each was opened. */
async function lines(): Promise<{ name: string; id: number }[]> {
  const response = await fetch(`http://${ports.address(`${capitalSite}/monitor`)}/leafz`);
  const { leafs } = (await response.json()) as { leafs: { name: string; id: number }[] | null };
  return (leafs ?? []).map(({ name, id }) => ({ name, id }));
}

const hasLine = async (site: string) =>
  (await lines().catch(() => [])).some(({ name }) => name === `nats-${site}`);

test("a region's keys change from end to end while its line is up, and the old ones are worth nothing after that", async () => {
  const { keyStore } = given.deployment;
  await roll(capitalSite, ["astana"]);
  await roll("astana");
  start(capitalSite);
  start("astana");
  await until("the line is up", () => hasLine("astana"));
  const [before] = await lines();
  const old = join(place.path, "astana-before");
  cpSync(join(place.path, "astana"), old, {
    recursive: true,
    filter: (source) => !source.includes("jetstream"),
  });

  // rotate, roll out the capital: the hub reloads, and nobody is disturbed.
  await keyStore.rotate(given.deployment.keyOrder("astana"));
  await roll(capitalSite, ["astana"]);
  reload(capitalSite);
  await sleep(settleMs);
  expect(await lines()).toEqual([before]);

  // A region that has not been rolled out yet comes back with its old keys, even after a restart.
  await restart("astana");
  await until("the old keys are still good", () => hasLine("astana"));

  // Roll out the region: it comes back with its new ones.
  const [former] = await lines();
  await roll("astana");
  await restart("astana");
  // The hub may still name the line of the server that was killed.
  const isAnother = async () => (await lines()).some(({ id }) => id !== former?.id);
  await until("the new keys are good", async () => (await hasLine("astana")) && (await isAnother()));
  const [after] = await lines();

  // finish, roll out the capital: whoever has the new keys stays.
  await keyStore.finishRotation("astana");
  await roll(capitalSite, ["astana"]);
  reload(capitalSite);
  await sleep(settleMs);
  expect(await lines()).toEqual([after]);

  // Somebody who has kept the old files has no line any more.
  cpSync(old, join(place.path, "astana"), { recursive: true });
  await restart("astana");
  await sleep(3 * settleMs);
  expect(await lines()).toEqual([]);
  await roll("astana");
  await restart("astana");
  await until("the new keys are still good", () => hasLine("astana"));
});

test("a region that is added is let in by a reload alone, and the others are not disturbed", async () => {
  const before = await lines();
  expect(before).toHaveLength(1);
  await makeKeys(given, "almaty");
  await roll("almaty");
  start("almaty");
  await roll(capitalSite, regions);
  reload(capitalSite);
  await until("the line of the new region is up", () => hasLine("almaty"));
  expect(await lines()).toEqual(expect.arrayContaining(before));
});
