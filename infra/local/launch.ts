import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
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
  Workload,
} from "../blueprint/stack.ts";
import { archiveSettings } from "../blueprint/wal-archive.ts";
import { findTool } from "../toolchain/tools.ts";
import { siteBackups } from "./backups.ts";
import { writeWhole, type DataFolder } from "./data-folder.ts";
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
  readonly environment: Readonly<Record<string, string>>;
  readonly workingFolder: string;
  /** Before each start of the process. */
  readonly prepare: () => Promise<void>;
  /** Throws, saying why, while the process must not be asked. */
  readonly probe: () => Promise<void>;
}

/** What a stack is carried out with. */
export interface LaunchContext {
  readonly stack: Stack;
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
export function launchOf(workload: Workload, context: LaunchContext): Launch {
  for (const { name } of workload.storage) {
    // PostgreSQL makes its own, whole or not at all.
    if (workload.program.kind !== "postgres") {
      mkdirSync(context.folder.storage(context.stack.site, workload.name, name), {
        recursive: true,
        mode: 0o700,
      });
    }
  }
  switch (workload.program.kind) {
    case "service":
      return launchService(workload, workload.program.main, context);
    case "nats":
      return launchNats(workload, workload.program.server, context);
    case "postgres":
      return launchPostgres(workload, workload.program.server, context);
    default:
      return workload.program satisfies never;
  }
}

/** Of type stripping, and of certificates that are asked for by address (127.0.0.1): both are meant. */
const quietFlags = ["--disable-warning=ExperimentalWarning", "--disable-warning=DEP0123"];

function launchService(workload: Workload, main: string, context: LaunchContext): Launch {
  const environment = Object.fromEntries(
    Object.entries(workload.environment).map(([name, value]) => [name, resolve(value, workload, context)]),
  );
  return {
    command: [findTool("node"), ...quietFlags, main],
    environment: { PATH: process.env["PATH"] ?? "", ...environment },
    workingFolder: checkoutFolder,
    prepare: async () => undefined,
    probe: readinessProbe(workload, context),
  };
}

/** A service sees its own variables alone, so that a developer's shell cannot change what it does. */
function resolve(value: Value, workload: Workload, context: LaunchContext): string {
  if (typeof value === "string") return value;
  const { stack, folder, ports, secrets, settings } = context;
  switch (value.kind) {
    case "listen":
    case "own-address":
      return ports.address(portKey(stack.site, workload.name, value.port));
    case "address":
      return `${value.prefix ?? ""}${addressOf(value.of, context)}${value.suffix ?? ""}`;
    case "secret":
      return secrets.file(value.secret, value.part);
    case "storage":
      return folder.storage(stack.site, workload.name, value.storage);
    case "replica":
      return `${workload.name}-0`;
    case "nation":
      return folder.regionsFile;
    case "country":
      return folder.countryFile;
    case "setting":
      return settings[value.setting];
    default:
      return value satisfies never;
  }
}

/** Out of its own site a workload speaks through the site's line, which can be cut. */
function addressOf({ site, workload, port }: AddressReference, { stack, ports }: LaunchContext): string {
  return ports.address(site === undefined ? portKey(stack.site, workload, port) : lineKey(stack.site));
}

function readinessProbe(workload: Workload, { stack, ports }: LaunchContext): () => Promise<void> {
  if (workload.ready.kind !== "http") throw new Error(`${workload.name} has no HTTP readiness`);
  return httpProbe(
    ports.port(portKey(stack.site, workload.name, workload.ready.port)),
    workload.startPath ?? workload.ready.path,
  );
}

function launchNats(workload: Workload, server: NatsServer, context: LaunchContext): Launch {
  const { stack, folder, ports, secrets } = context;
  const place = join(folder.site(stack.site), "nats");
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const configurationFile = join(place, "nats.conf");
  const own: NatsPlace = {
    listen: (port) => ports.address(portKey(stack.site, workload.name, port)),
    caFile: secrets.file(server.certificateSecret, "ca"),
    lineCaFile: secrets.file(server.certificateSecret, "ca"),
    certificateFile: secrets.file(server.certificateSecret, "certificate"),
    keyFile: secrets.file(server.certificateSecret, "key"),
    storageFolder: folder.storage(stack.site, workload.name, server.storage),
    // nats-server takes an included path as relative to the configuration, an absolute one too.
    secretFile: server.hub === undefined ? "accounts.conf" : "leaf-seed.conf",
  };
  return {
    command: [findTool("nats-server"), "--config", configurationFile],
    environment: { PATH: process.env["PATH"] ?? "" },
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
    probe: readinessProbe(workload, context),
  };
}

function launchPostgres(workload: Workload, server: PostgresServer, context: LaunchContext): Launch {
  const { stack, folder, ports, secrets } = context;
  const storage = folder.storage(stack.site, workload.name, server.storage);
  mkdirSync(dirname(storage), { recursive: true, mode: 0o700 });
  const port = ports.port(portKey(stack.site, workload.name, server.port));
  const backups = context.backups === undefined ? undefined : siteBackups(context.backups, stack.site);
  if (backups !== undefined) mkdirSync(join(backups, "wal"), { recursive: true, mode: 0o700 });
  return {
    command: postgresCommand(storage, server, port, backups === undefined ? {} : archiveSettings(backups)),
    environment: { PATH: process.env["PATH"] ?? "", LC_ALL: "C" },
    workingFolder: dirname(storage),
    prepare: () => {
      takeRestored(storage);
      return initialise(storage, server, secrets.file(server.passwordSecret));
    },
    probe: () => askDatabase(server, port, secrets.read(server.passwordSecret)),
  };
}
