import {
  certificates,
  databaseEnvironment,
  nkeys,
  postgres,
  secretName,
  service,
  stopWaitMs,
} from "./parts.ts";
import type { Region, SizeClass } from "./regions.ts";
import { capitalSite, type Arrow, type Resources, type Stack, type Workload } from "./stack.ts";

const gibibyte = 1024 ** 3;

/**
 * How much the workloads of a region get. A size changes amounts alone: two
 * regions of different size consist of the same parts.
 */
const sizes: Readonly<Record<SizeClass, { factor: number; storageFactor: number }>> = {
  small: { factor: 1, storageFactor: 1 },
  medium: { factor: 2, storageFactor: 2 },
  large: { factor: 4, storageFactor: 4 },
};

/** Sum of what the region's streams may hold, with room for those of a next epoch. */
const jetStreamBytesMax = 32 * gibibyte;
const jetStreamGibibytes = 40;

const amount = (region: Region, cpuMilli: number, memoryMebibytes: number): Resources => ({
  cpuMilli: cpuMilli * sizes[region.sizeClass].factor,
  memoryMebibytes: memoryMebibytes * sizes[region.sizeClass].factor,
});

/** Everything a region runs: the same five workloads in each of the twenty. */
export function regionalStack(region: Region): Stack {
  return {
    site: region.slug,
    workloads: [
      nats(region),
      postgres(amount(region, 250, 256), 20 * sizes[region.sizeClass].storageFactor),
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
      { kind: "identity-keys", name: secretName.identityKeys },
    ],
    arrows,
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
    replicas: 1,
    environment: {},
    ports: [
      { name: "client", protocol: "nats" },
      { name: "monitor", protocol: "http" },
    ],
    ready: { kind: "http", port: "monitor", path: "/healthz" },
    livePath: "/healthz?js-server-only=true",
    resources: amount(region, 250, 256),
    storage: [{ name: "jetstream", gibibytes: jetStreamGibibytes }],
    secrets: [secretName.certificate("nats"), secretName.leaf],
    after: [],
    stopSignal: "SIGTERM",
    stopWaitMs,
  };
}

function services(region: Region): readonly Workload[] {
  const { slug } = region;
  return [
    service(slug, "centre", {
      environment: { ...databaseEnvironment, GRPC_LISTEN: { kind: "listen", port: "grpc" } },
      ports: [{ name: "grpc", protocol: "grpc" }],
      secrets: [secretName.postgresPassword],
      resources: amount(region, 250, 256),
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
      resources: amount(region, 500, 256),
      after: ["nats"],
    }),
    service(slug, "replication", {
      environment: { NATS_LINE_SEED_FILE: { kind: "secret", secret: secretName.natsUser("line") } },
      secrets: [secretName.natsUser("line")],
      resources: amount(region, 250, 192),
      after: ["nats"],
    }),
  ];
}
