import { mkdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import {
  hubConfiguration,
  leafSeedFile,
  regionConfiguration,
  type NatsPlace,
} from "../blueprint/nats-configuration.ts";
import type {
  AddressReference,
  NatsServer,
  PostgresServer,
  Setting,
  Stack,
  Value,
} from "../blueprint/stack.ts";
import { archiveSettings } from "../blueprint/wal-archive.ts";
import { findTool } from "../toolchain/tools.ts";
import { siteBackups } from "./backups.ts";
import { SiteClock } from "./clock.ts";
import { writeWhole, type DataFolder } from "./data-folder.ts";
import { instanceNames, type Instance } from "./instances.ts";
import { lineKey, portKey, type Ports } from "./ports.ts";
import { askDatabase, initialise, postgresCommand } from "./postgres.ts";
import { httpProbe } from "./probes.ts";
import { takeRestored } from "./recovery.ts";
import type { StackSecrets } from "./secrets.ts";

/** The checkout: services run in it. */
export const checkoutFolder = join(import.meta.dirname, "..", "..");

/** One process, ready to be started. */
export interface Launch {
  readonly command: readonly string[];
  /** At the moment of a start. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly workingFolder: string;
  /** Before each start of the process. */
  readonly prepare: () => Promise<void>;
  /** Throws, saying why, while the process must not be asked. */
  readonly probe: () => Promise<void>;
}

/** What a stack is carried out with. */
export interface LaunchContext {
  readonly stack: Stack;
  /** The stack at the other end of a region's line. */
  readonly capital: Stack;
  /** Nodes of the hub, each a process of its own. */
  readonly hubNodes: number;
  readonly folder: DataFolder;
  readonly ports: Ports;
  readonly secrets: StackSecrets;
  readonly settings: Readonly<Record<Setting, string>>;
  /** Folder that the databases are archived to; undefined: they are not. */
  readonly backups: string | undefined;
}

/** The file with the hub's accounts: the one thing of the capital that changes when a region is added. */
export function hubAccountsFile(folder: DataFolder): string {
  return join(folder.site("capital"), "nats", "accounts.conf");
}

/** Turns a workload of a blueprint into a process of this machine. */
export function launchOf(instance: Instance, context: LaunchContext): Launch {
  const { name: process, workload } = instance;
  for (const { name } of workload.storage) {
    // PostgreSQL makes its own, whole or not at all.
    if (workload.program.kind !== "postgres") {
      mkdirSync(context.folder.storage(context.stack.site, process, name), {
        recursive: true,
        mode: 0o700,
      });
    }
  }
  switch (workload.program.kind) {
    case "service":
      return launchService(instance, workload.program.main, context);
    case "nats":
      return launchNats(instance, workload.program.server, context);
    case "postgres":
      return launchPostgres(instance, workload.program.server, context);
    default:
      return workload.program satisfies never;
  }
}

/** Of type stripping, and of certificates that are asked for by address (127.0.0.1): both are meant. */
const quietFlags = ["--disable-warning=ExperimentalWarning", "--disable-warning=DEP0123"];

function launchService(instance: Instance, main: string, context: LaunchContext): Launch {
  const clock = new SiteClock(context.folder, context.stack.site);
  const environment = Object.fromEntries(
    Object.entries(instance.workload.environment).map(([name, value]) => [
      name,
      resolve(value, instance, context),
    ]),
  );
  return {
    command: [findTool("node"), ...quietFlags, main],
    environment: () => ({ PATH: process.env["PATH"] ?? "", ...environment, ...clock.environment }),
    workingFolder: checkoutFolder,
    prepare: async () => undefined,
    probe: readinessProbe(instance, context),
  };
}

/** A service sees its own variables alone, so that a developer's shell cannot change what it does. */
function resolve(value: Value, { name: process, workload }: Instance, context: LaunchContext): string {
  if (typeof value === "string") return value;
  const { stack, folder, ports, secrets, settings } = context;
  switch (value.kind) {
    case "listen":
    case "own-address":
      return ports.address(portKey(stack.site, process, value.port));
    case "address":
      return `${value.prefix ?? ""}${addressOf(value.of, context)}${value.suffix ?? ""}`;
    case "secret":
      return secrets.file(value.secret, value.part);
    case "storage":
      return folder.storage(stack.site, process, value.storage);
    case "replica":
      return `${workload.name}-0`;
    case "nation":
      return folder.regionsFile;
    case "country":
      return folder.countryFile;
    case "signing-keys":
      return folder.signingKeysFile;
    case "setting":
      return settings[value.setting];
    default:
      return value satisfies never;
  }
}

/**
 * Out of its own site a workload speaks through the site's line, which can be
 * cut. Where several processes carry a workload out, any of them will do.
 */
function addressOf({ site, workload, port }: AddressReference, context: LaunchContext): string {
  const { stack, ports, hubNodes } = context;
  if (site !== undefined) return ports.address(lineKey(stack.site));
  return instanceNames(stack, workload, hubNodes)
    .map((name) => ports.address(portKey(stack.site, name, port)))
    .join(",");
}

function readinessProbe({ name, workload }: Instance, { stack, ports }: LaunchContext): () => Promise<void> {
  if (workload.ready.kind !== "http") throw new Error(`${name} has no HTTP readiness`);
  return httpProbe(
    ports.port(portKey(stack.site, name, workload.ready.port)),
    workload.startPath ?? workload.ready.path,
  );
}

/** The variable by which each node of a hub is told its name. */
const nodeVariable = "HUB_NODE";

function launchNats(instance: Instance, server: NatsServer, context: LaunchContext): Launch {
  const { stack, folder, ports, secrets } = context;
  const place = join(folder.site(stack.site), instance.name);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const configurationFile = join(place, "nats.conf");
  const own: NatsPlace = {
    listen: (port) => ports.address(portKey(stack.site, instance.name, port)),
    caFile: secrets.file(server.certificateSecret, "ca"),
    lineCaFile: secrets.file(server.certificateSecret, "ca"),
    certificateFile: secrets.file(server.certificateSecret, "certificate"),
    keyFile: secrets.file(server.certificateSecret, "key"),
    storageFolder: folder.storage(stack.site, instance.name, server.storage),
    // nats-server takes an included path as relative to the configuration, an absolute one too.
    secretFile: server.hub === undefined ? relative(place, hubAccountsFile(folder)) : "leaf-seed.conf",
    ...clusterOf(instance, server, context),
  };
  return {
    command: [findTool("nats-server"), "--config", configurationFile],
    environment: () => ({ PATH: process.env["PATH"] ?? "", [nodeVariable]: instance.name }),
    workingFolder: place,
    prepare: async () => {
      if (server.hub === undefined) {
        writeWhole(configurationFile, hubConfiguration(server, own));
        return;
      }
      writeWhole(join(place, own.secretFile), leafSeedFile(secrets.read(server.hub.seedSecret)));
      const hubAddress = addressOf(server.hub.address, context);
      const text = regionConfiguration(stack, server, own, hubAddress, (secret) => [
        secrets.publicKey(secret),
      ]);
      writeWhole(configurationFile, text);
    },
    probe: readinessProbe(instance, context),
  };
}

/** How the nodes of a hub of several find each other. */
function clusterOf(
  { workload }: Instance,
  { routePort }: NatsServer,
  { stack, ports, hubNodes }: LaunchContext,
): Pick<NatsPlace, "cluster"> {
  const names = instanceNames(stack, workload.name, hubNodes);
  if (routePort === undefined || names.length === 1) return {};
  const nodes = names.map((name) => ports.address(portKey(stack.site, name, routePort)));
  return { cluster: { nameVariable: nodeVariable, nodes } };
}

function launchPostgres(instance: Instance, server: PostgresServer, context: LaunchContext): Launch {
  const { stack, folder, ports, secrets } = context;
  const storage = folder.storage(stack.site, instance.name, server.storage);
  const clock = new SiteClock(folder, stack.site);
  mkdirSync(dirname(storage), { recursive: true, mode: 0o700 });
  const port = ports.port(portKey(stack.site, instance.name, server.port));
  const backups = context.backups === undefined ? undefined : siteBackups(context.backups, stack.site);
  if (backups !== undefined) mkdirSync(join(backups, "wal"), { recursive: true, mode: 0o700 });
  return {
    command: postgresCommand(storage, server, port, backups === undefined ? {} : archiveSettings(backups)),
    environment: () => ({ PATH: process.env["PATH"] ?? "", LC_ALL: "C", ...clock.environment }),
    workingFolder: dirname(storage),
    prepare: () => {
      takeRestored(storage);
      return initialise(storage, server, secrets.file(server.passwordSecret));
    },
    probe: () => askDatabase(server, port, secrets.read(server.passwordSecret)),
  };
}
