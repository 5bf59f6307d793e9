import {
  certificates,
  databaseEnvironment,
  nkeys,
  postgres,
  resourcesOf,
  scaled,
  secretName,
  service,
  single,
  stopWaitMs,
} from "./parts.ts";
import type { Region } from "./regions.ts";
import { capitalSite, type Arrow, type Resources, type Stack, type Workload } from "./stack.ts";

const gibibyte = 1024 ** 3;

/** Sum of what the region's streams may hold, with room for those of a next epoch. */
const jetStreamBytesMax = 32 * gibibyte;
const jetStreamGibibytes = 40;

const amountOf =
  ({ sizeClass }: Region) =>
  (cpuMilli: number, memoryMebibytes: number): Resources =>
    resourcesOf(sizeClass, cpuMilli, memoryMebibytes);

/**
 * Screening runs at least twice, so that one may go; its storage and its
 * subjects in NATS belong to the replica, so the most there can be is fixed.
 */
const screeningReplicas = { least: 2, most: 6 };

/**
 * The same in every region, as the nation's table is: a replica with a million
 * of the nation's directives took 0.5 GB, with a million of its region's own
 * beside them 1.5 GB (resident, measured).
 */
const screeningMebibytes = 2_048;

/** Everything a region runs: the same five workloads in each of the twenty. */
export function regionalStack(region: Region): Stack {
  const amount = amountOf(region);
  return {
    site: region.slug,
    workloads: [
      nats(region),
      postgres(region.slug, amount(100, 256), scaled(region.sizeClass, 20)),
      ...services(region),
    ],
    secrets: [
      ...certificates(region.slug, ["nats", "screening", "centre", "replication"]),
      ...nkeys([
        secretName.leaf,
        secretName.natsUser("screening"),
        secretName.natsUser("centre"),
        secretName.natsUser("replication"),
        secretName.natsUser("line"),
      ]),
      { kind: "random", name: secretName.postgresPassword, bytes: 24 },
      { kind: "random", name: secretName.regionKey, bytes: 32 },
      { kind: "signing-key", name: secretName.signingKey },
      { kind: "identity-keys", name: secretName.identityKeys },
    ],
    arrows,
    optionalArrows: [],
  };
}

const arrows: readonly Arrow[] = [
  { from: "screening", to: { workload: "nats", port: "client" } },
  { from: "screening", to: { workload: "centre", port: "grpc" } },
  { from: "centre", to: { workload: "nats", port: "client" } },
  { from: "centre", to: { workload: "postgres", port: "sql" } },
  { from: "replication", to: { workload: "nats", port: "client" } },
  // The one line out of a region; the capital never opens one towards it.
  { from: "nats", to: { site: capitalSite, workload: "nats", port: "leaf" } },
  { from: "switch", to: { workload: "screening", port: "grpc" } },
  { from: "person", to: { workload: "screening", port: "grpc" } },
  { from: "person", to: { workload: "centre", port: "grpc" } },
  { from: "person", to: { workload: "centre", port: "http" } },
];

function nats(region: Region): Workload {
  return {
    name: "nats",
    program: {
      kind: "nats",
      server: {
        name: `nats-${region.slug}`,
        domain: region.slug,
        role: "region",
        certificateSecret: secretName.certificate("nats"),
        clientPort: "client",
        monitorPort: "monitor",
        hub: { address: { site: capitalSite, workload: "nats", port: "leaf" }, seedSecret: secretName.leaf },
        storage: "jetstream",
        storageBytesMax: jetStreamBytesMax,
      },
    },
    replicas: single,
    priority: "calls",
    companions: [],
    environment: {},
    ports: [
      { name: "client", protocol: "nats" },
      { name: "monitor", protocol: "http" },
    ],
    // All streams are looked at when it starts; after that one bad stream must not take the whole server away.
    startPath: "/healthz",
    ready: { kind: "http", port: "monitor", path: "/healthz?js-enabled-only=true" },
    livePath: "/healthz?js-server-only=true",
    resources: amountOf(region)(100, 256),
    storage: [{ name: "jetstream", gibibytes: jetStreamGibibytes }],
    secrets: [secretName.certificate("nats"), secretName.leaf],
    after: [],
    stopSignal: "SIGTERM",
    stopWaitMs,
  };
}

function services(region: Region): readonly Workload[] {
  const { slug } = region;
  const amount = amountOf(region);
  return [
    service(slug, "centre", {
      environment: { ...databaseEnvironment, GRPC_LISTEN: { kind: "listen", port: "grpc" } },
      ports: [{ name: "grpc", protocol: "grpc" }],
      secrets: [secretName.postgresPassword],
      resources: amount(100, 256),
      after: ["nats", "postgres"],
    }),
    service(slug, "screening", {
      environment: {
        GRPC_LISTEN: { kind: "listen", port: "grpc" },
        STATE_DIRECTORY: { kind: "storage", storage: "state" },
        REPLICA: { kind: "replica" },
        CENTRE_URL: { kind: "address", of: { workload: "centre", port: "grpc" } },
        REGIONS_FILE: { kind: "country" },
        REGION_KEY_FILE: { kind: "secret", secret: secretName.regionKey },
      },
      ports: [{ name: "grpc", protocol: "grpc" }],
      storage: [{ name: "state", gibibytes: 2 }],
      secrets: [secretName.regionKey],
      resources: { ...amount(150, 0), memoryMebibytes: screeningMebibytes },
      replicas: screeningReplicas,
      priority: "calls",
      after: ["nats"],
    }),
    service(slug, "replication", {
      environment: {
        NATS_LINE_SEED_FILE: { kind: "secret", secret: secretName.natsUser("line") },
        SIGNING_KEY_FILE: { kind: "secret", secret: secretName.signingKey },
      },
      secrets: [secretName.natsUser("line"), secretName.signingKey],
      resources: amount(100, 192),
      after: ["nats"],
    }),
  ];
}
