import { hubConfiguration, leafSeedFile, regionConfiguration } from "../blueprint/nats-configuration.ts";
import type { NatsServer, PostgresServer, Secret, Workload } from "../blueprint/stack.ts";
import { archiveSettings } from "../blueprint/wal-archive.ts";
import { contentName, type Manifest } from "./manifest.ts";
import {
  namespaceOf,
  place,
  podsService,
  podSelector,
  portNumber,
  siteLabels,
  storageMount,
  storagePath,
} from "./names.ts";
import type { Site } from "./site.ts";

/** The one ConfigMap that changes in place: a new region is let in by a reload, and nobody is disturbed. */
export const hubAccountsName = "hub-accounts";
export const hubAccountsFile = "accounts.conf";
export const hubAuthoritiesFile = "authorities.pem";

/** Files among the secrets of the workload that archives. */
export const archiveCredentialsFile = "archive-credentials";
export const archiveAuthorityFile = "archive-authority.pem";

const leafSeed = "leaf-seed.conf";
const capitalAuthority = "capital-authority.pem";
/** Environment variable with the name of the pod. */
export const podNameVariable = "POD_NAME";

/** Files of a workload that are no secrets, by name; empty when it needs none. */
export function configurationOf(workload: Workload, site: Site): Readonly<Record<string, string>> {
  const { program } = workload;
  switch (program.kind) {
    case "nats":
      return natsFiles(workload, program.server, site);
    case "postgres":
      return postgresFiles(workload, program.server);
    case "service":
      return nationFiles(workload, site);
    default:
      return program satisfies never;
  }
}

/** Files of a workload's secrets, by name. */
export function secretFilesOf(workload: Workload, site: Site): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of workload.secrets) {
    const secret = site.stack.secrets.find((each) => each.name === name);
    if (secret === undefined) throw new RangeError(`the stack of ${site.stack.site} has no secret ${name}`);
    Object.assign(files, filesOf(secret, site));
  }
  const isArchiving = site.stack.optionalArrows.some(({ from }) => from === workload.name);
  if (site.archive !== undefined && isArchiving) {
    files[archiveCredentialsFile] = site.archive.credentials;
    if (site.archive.authority !== undefined) files[archiveAuthorityFile] = site.archive.authority;
  }
  const { program } = workload;
  if (program.kind === "nats" && program.server.hub !== undefined) {
    const seed = program.server.hub.seedSecret;
    delete files[seed];
    files[leafSeed] = leafSeedFile(site.keys.file(seed));
  }
  return files;
}

function filesOf(secret: Secret, site: Site): Readonly<Record<string, string>> {
  const { name } = secret;
  switch (secret.kind) {
    case "certificate":
      return {
        [secretFileName(name, "ca")]: site.keys.file(name, "ca"),
        [secretFileName(name, "certificate")]: site.keys.file(name, "certificate"),
        [secretFileName(name, "key")]: site.keys.file(name, "key"),
      };
    case "identity-keys":
      return { [name]: site.identityKeys };
    case "nkey":
    case "random":
    case "signing-key":
      return { [name]: site.keys.file(name) };
    default:
      return secret satisfies never;
  }
}

/** File name of a secret, or of a part of a certificate. */
export function secretFileName(secret: string, part?: "ca" | "certificate" | "key"): string {
  switch (part) {
    case undefined:
      return secret;
    case "certificate":
      return `${secret}.pem`;
    case "ca":
      return `${secret}.ca.pem`;
    case "key":
      return `${secret}.key.pem`;
    default:
      return part satisfies never;
  }
}

function natsFiles(workload: Workload, server: NatsServer, site: Site): Readonly<Record<string, string>> {
  const { line, stack, keys } = site;
  const secret = (part: "ca" | "certificate" | "key") =>
    `${place.secrets}/${secretFileName(server.certificateSecret, part)}`;
  const common = {
    listen: (port: string) => `0.0.0.0:${portNumber(port)}`,
    caFile: secret("ca"),
    certificateFile: secret("certificate"),
    keyFile: secret("key"),
    storageFolder: storagePath(workload, server.storage),
  };
  if ("address" in line) {
    const files = {
      ...common,
      lineCaFile: `${place.configuration}/${capitalAuthority}`,
      // nats-server takes an included path as relative to the configuration.
      secretFile: `../secrets/${leafSeed}`,
    };
    return {
      "nats.conf": regionConfiguration(stack, server, files, line.address, (name) => keys.publicKeys(name)),
      [capitalAuthority]: line.authority,
    };
  }
  const nodes = Array.from(
    { length: workload.replicas.least },
    (_, ordinal) =>
      `${workload.name}-${ordinal}.${podsService(workload.name)}:${portNumber(server.routePort ?? "")}`,
  );
  return {
    "nats.conf": hubConfiguration(server, {
      ...common,
      lineCaFile: `${place.accounts}/${hubAuthoritiesFile}`,
      secretFile: `../accounts/${hubAccountsFile}`,
      cluster: { nameVariable: podNameVariable, nodes },
    }),
  };
}

/** What a service is told of the whole nation. */
function nationFiles(workload: Workload, site: Site): Readonly<Record<string, string>> {
  const kinds = Object.values(workload.environment).map((value) =>
    typeof value === "string" ? "" : value.kind,
  );
  return {
    ...(kinds.includes("nation") ? { "nation.json": site.nation } : {}),
    ...(kinds.includes("country") ? { "country.json": site.country } : {}),
    ...(kinds.includes("signing-keys") ? { "signing-keys.json": site.signingKeys } : {}),
  };
}

/** Only whoever is in the pod speaks through the socket; everyone else shows the password. */
const accessRules = [
  "local all all trust",
  "host all all 0.0.0.0/0 scram-sha-256",
  "host all all ::/0 scram-sha-256",
];

function postgresFiles(workload: Workload, server: PostgresServer): Readonly<Record<string, string>> {
  const data = storagePath(workload, server.storage);
  const settings = {
    ...server.settings,
    listen_addresses: "*",
    port: String(portNumber(server.port)),
    unix_socket_directories: place.sockets,
    hba_file: `${place.configuration}/pg_hba.conf`,
    ...archiveSettings(storageMount(server.backupStorage)),
  };
  return {
    "postgresql.conf": lines(
      Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`),
    ),
    "pg_hba.conf": lines(accessRules),
    "initialise.sh": initialiseScript(data, storageMount(server.backupStorage), server),
  };
}

/** Makes the database once: under another name until it is complete, so that half of one is never taken for one. */
function initialiseScript(data: string, backup: string, server: PostgresServer): string {
  return lines([
    "set -eu",
    `mkdir -p ${backup}/wal`,
    `if test -f ${data}/PG_VERSION; then exit 0; fi`,
    `rm -rf ${data}.new`,
    `initdb --pgdata=${data}.new --username=${server.superuser} --auth=trust --no-locale --encoding=UTF8 --no-instructions`,
    `echo 'create database "${server.database}"' | postgres --single -D ${data}.new postgres`,
    `mv ${data}.new ${data}`,
    // What is in it is on the disk already. A bare sync would wait for every file system of the machine.
    `sync ${storageMount(server.storage)}`,
  ]);
}

const lines = (each: readonly string[]): string => `${each.join("\n")}\n`;

/** Immutable objects with a workload's files, named by their content; none for what is empty. */
export function configurationManifests(workload: Workload, site: Site): readonly Manifest[] {
  const files = configurationOf(workload, site);
  const secrets = secretFilesOf(workload, site);
  return [
    ...(Object.keys(files).length === 0 ? [] : [configMap(workload.name, files, site)]),
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: metadata(workload.name, contentName(workload.name, secrets), site),
      type: "Opaque",
      immutable: true,
      data: Object.fromEntries(
        Object.entries(secrets).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
      ),
    },
  ];
}

function configMap(workload: string, files: Readonly<Record<string, string>>, site: Site): Manifest {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadata(workload, contentName(workload, files), site),
    immutable: true,
    data: files,
  };
}

const metadata = (workload: string, name: string, { stack }: Site): Manifest["metadata"] => ({
  name,
  namespace: namespaceOf(stack.site),
  labels: { ...siteLabels(stack.site), ...podSelector(workload) },
});

/** The hub's accounts and the authorities it trusts; only the capital has them. */
export function hubAccountsManifests(site: Site): readonly Manifest[] {
  if ("address" in site.line) return [];
  const { accounts, authorities } = site.line;
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: metadata("nats", hubAccountsName, site),
      data: { [hubAccountsFile]: accounts, [hubAuthoritiesFile]: authorities },
    },
  ];
}
