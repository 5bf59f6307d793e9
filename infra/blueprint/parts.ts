import type { Companion, Resources, Secret, SiteName, Value, Workload, WorkloadName } from "./stack.ts";
import type { SizeClass } from "./regions.ts";

/** Names of the secrets that every stack has. */
export const secretName = {
  certificate: (workload: WorkloadName) => `${workload}-certificate`,
  natsUser: (user: string) => `nats-${user}`,
  leaf: "nats-leaf",
  system: "nats-system",
  postgresPassword: "postgres-password",
  regionKey: "region-key",
  signingKey: "signing-key",
  identityKeys: "identity-keys",
} as const;

/** One of each: a second one would not know what the first has done. */
export const single: Workload["replicas"] = { least: 1, most: 1 };

/**
 * How much a site of a size gets. A size changes amounts alone: two sites of
 * different size consist of the same parts.
 */
const sizeFactors: Readonly<Record<SizeClass, number>> = { small: 1, medium: 2, large: 4 };

export const scaled = (size: SizeClass, amount: number): number => amount * sizeFactors[size];

export const resourcesOf = (size: SizeClass, cpuMilli: number, memoryMebibytes: number): Resources => ({
  cpuMilli: scaled(size, cpuMilli),
  memoryMebibytes: scaled(size, memoryMebibytes),
});

/** After this time what was asked to stop is killed; services drain within 10 s. */
export const stopWaitMs = 15_000;

/** What every service of the project is told. */
function serviceEnvironment(workload: WorkloadName, site: SiteName): Readonly<Record<string, Value>> {
  const certificate = secretName.certificate(workload);
  return {
    QALQAN_SERVICE: workload,
    QALQAN_REGION: site,
    QALQAN_RELEASE: { kind: "setting", setting: "release" },
    LOG_LEVEL: { kind: "setting", setting: "logLevel" },
    NODE_COMPILE_CACHE: { kind: "setting", setting: "compileCache" },
    TLS_CA_FILE: { kind: "secret", secret: certificate, part: "ca" },
    TLS_CERT_FILE: { kind: "secret", secret: certificate, part: "certificate" },
    TLS_KEY_FILE: { kind: "secret", secret: certificate, part: "key" },
    IDENTITY_KEYS_FILE: { kind: "secret", secret: secretName.identityKeys },
    HTTP_LISTEN: { kind: "listen", port: "http" },
    NATS_URL: { kind: "address", of: { workload: "nats", port: "client" }, prefix: "tls://" },
    NATS_SEED_FILE: { kind: "secret", secret: secretName.natsUser(workload) },
  };
}

export const databaseEnvironment: Readonly<Record<string, Value>> = {
  DATABASE_URL: {
    kind: "address",
    of: { workload: "postgres", port: "sql" },
    prefix: "postgres://qalqan@",
    suffix: "/qalqan",
  },
  DATABASE_PASSWORD_FILE: { kind: "secret", secret: secretName.postgresPassword },
};

/** A service of the project: HTTP probes, NATS user and certificate are the same for all. */
export function service(
  site: SiteName,
  name: WorkloadName,
  own: Pick<Workload, "resources" | "after"> &
    Partial<Pick<Workload, "environment" | "ports" | "storage" | "secrets" | "replicas" | "priority">>,
): Workload {
  return {
    name,
    program: { kind: "service", main: `services/${name}/main.ts` },
    replicas: own.replicas ?? single,
    priority: own.priority ?? "ordinary",
    companions: [],
    environment: { ...serviceEnvironment(name, site), ...own.environment },
    ports: [{ name: "http", protocol: "http" }, ...(own.ports ?? [])],
    ready: { kind: "http", port: "http", path: "/ready" },
    livePath: "/live",
    resources: own.resources,
    storage: own.storage ?? [],
    secrets: [
      secretName.certificate(name),
      secretName.natsUser(name),
      secretName.identityKeys,
      ...(own.secrets ?? []),
    ],
    after: own.after,
    stopSignal: "SIGTERM",
    stopWaitMs,
  };
}

/** The stack's PostgreSQL: what it acknowledges is on the disk. */
export function postgres(site: SiteName, resources: Resources, gibibytes: number): Workload {
  return {
    name: "postgres",
    program: {
      kind: "postgres",
      server: {
        superuser: "qalqan",
        database: "qalqan",
        passwordSecret: secretName.postgresPassword,
        port: "sql",
        storage: "database",
        settings: {
          fsync: "on",
          synchronous_commit: "on",
          full_page_writes: "on",
          password_encryption: "scram-sha-256",
          max_connections: "40",
          shared_buffers: "32MB",
          dynamic_shared_memory_type: "posix",
          max_wal_size: "256MB",
          log_line_prefix: "%m [%p] ",
          log_timezone: "UTC",
          timezone: "UTC",
          lc_messages: "C",
        },
        backupStorage: "backup",
      },
    },
    replicas: single,
    priority: "ordinary",
    companions: [keeper(site)],
    environment: {},
    ports: [{ name: "sql", protocol: "postgres" }],
    ready: { kind: "sql" },
    resources,
    storage: [
      { name: "database", gibibytes },
      // Several base backups, and the changes since the oldest of them.
      { name: "backup", gibibytes: 4 * gibibytes },
    ],
    secrets: [secretName.postgresPassword],
    after: [],
    // SIGTERM would wait until the last client has gone; SIGINT ends sessions and writes a checkpoint.
    stopSignal: "SIGINT",
    stopWaitMs,
  };
}

/** What every companion is told. */
export function companionEnvironment(
  name: Companion["name"],
  site: SiteName,
): Readonly<Record<string, Value>> {
  return {
    QALQAN_SERVICE: name,
    QALQAN_REGION: site,
    QALQAN_RELEASE: { kind: "setting", setting: "release" },
    LOG_LEVEL: { kind: "setting", setting: "logLevel" },
    NODE_COMPILE_CACHE: { kind: "setting", setting: "compileCache" },
    HTTP_LISTEN: { kind: "listen", port: "companion" },
  };
}

/** Sees that the database answers, has the password of the secret, and is backed up. */
function keeper(site: SiteName): Companion {
  return {
    name: "keeper",
    main: "services/keeper/main.ts",
    environment: {
      ...companionEnvironment("keeper", site),
      DATABASE_SOCKET_DIRECTORY: { kind: "sockets" },
      DATABASE_NAME: "qalqan",
      DATABASE_USER: "qalqan",
      DATABASE_PASSWORD_FILE: { kind: "secret", secret: secretName.postgresPassword },
      DATA_DIRECTORY: { kind: "storage", storage: "database" },
      BACKUP_DIRECTORY: { kind: "storage", storage: "backup" },
      // Three copies of the database, and the changes of four days, fit into the volume for them.
      BACKUPS_KEPT: "3",
    },
    resources: { cpuMilli: 20, memoryMebibytes: 128 },
  };
}

export function certificates(site: SiteName, workloads: readonly WorkloadName[]): readonly Secret[] {
  return workloads.map((workload) => ({
    kind: "certificate",
    name: secretName.certificate(workload),
    commonName: `${workload}.${site}`,
  }));
}

export function nkeys(names: readonly string[]): readonly Secret[] {
  return names.map((name) => ({ kind: "nkey", name }));
}
