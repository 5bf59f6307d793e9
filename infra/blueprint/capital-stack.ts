import {
  certificates,
  databaseEnvironment,
  nkeys,
  companionEnvironment,
  postgres,
  resourcesOf,
  scaled,
  secretName,
  service,
  stopWaitMs,
} from "./parts.ts";
import type { SizeClass } from "./regions.ts";
import { capitalSite, type Companion, type Stack, type Workload } from "./stack.ts";

const gibibyte = 1024 ** 3;

/** Twenty regions' lanes in two epochs each, and the streams that go down. */
const jetStreamBytesMax = 512 * gibibyte;
const jetStreamGibibytes = 600;

/** Nodes of the hub on clusters: every stream is on all of them, and one may be lost. */
const hubNodes = 3;

/** Everything the capital runs. */
export function capitalStack(size: SizeClass = "large"): Stack {
  return {
    site: capitalSite,
    workloads: [
      hub(size),
      postgres(capitalSite, resourcesOf(size, 150, 512), scaled(size, 50)),
      coordination(size),
    ],
    secrets: [
      ...certificates(capitalSite, ["nats", "coordination"]),
      ...nkeys([secretName.natsUser("coordination"), secretName.system]),
      { kind: "random", name: secretName.postgresPassword, bytes: 24 },
      { kind: "signing-key", name: secretName.signingKey },
      { kind: "identity-keys", name: secretName.identityKeys },
    ],
    arrows: [
      { from: "coordination", to: { workload: "nats", port: "client" } },
      // The nodes of the hub, and a replica of coordination that hands a write to the one that leads.
      { from: "nats", to: { workload: "nats", port: "route" } },
      { from: "coordination", to: { workload: "coordination", port: "grpc" } },
      { from: "coordination", to: { workload: "postgres", port: "sql" } },
      { from: "region", to: { workload: "nats", port: "leaf" } },
      { from: "person", to: { workload: "coordination", port: "grpc" } },
      { from: "person", to: { workload: "coordination", port: "http" } },
    ],
    optionalArrows: [{ from: "coordination", to: "archive" }],
  };
}

const hub = (size: SizeClass): Workload => ({
  name: "nats",
  program: {
    kind: "nats",
    server: {
      name: "hub-0",
      domain: capitalSite,
      role: "hub",
      certificateSecret: secretName.certificate("nats"),
      clientPort: "client",
      monitorPort: "monitor",
      leafPort: "leaf",
      routePort: "route",
      storage: "jetstream",
      storageBytesMax: jetStreamBytesMax,
    },
  },
  replicas: { least: hubNodes, most: hubNodes },
  priority: "calls",
  companions: [reloader],
  environment: {},
  ports: [
    { name: "client", protocol: "nats" },
    { name: "leaf", protocol: "nats" },
    { name: "route", protocol: "nats" },
    { name: "monitor", protocol: "http" },
  ],
  // All streams are looked at when it starts; after that one bad stream must not take the whole server away.
  startPath: "/healthz",
  ready: { kind: "http", port: "monitor", path: "/healthz?js-enabled-only=true" },
  livePath: "/healthz?js-server-only=true",
  resources: resourcesOf(size, 150, 512),
  storage: [{ name: "jetstream", gibibytes: jetStreamGibibytes }],
  secrets: [secretName.certificate("nats"), secretName.system],
  after: [],
  stopSignal: "SIGTERM",
  stopWaitMs,
});

/** Asks its node to read the hub's accounts again when they change: nothing restarts for a new region. */
const reloader: Companion = {
  name: "reloader",
  main: "services/reloader/main.ts",
  environment: {
    ...companionEnvironment("reloader", capitalSite),
    TLS_CA_FILE: { kind: "secret", secret: secretName.certificate("nats"), part: "ca" },
    TLS_CERT_FILE: { kind: "secret", secret: secretName.certificate("nats"), part: "certificate" },
    TLS_KEY_FILE: { kind: "secret", secret: secretName.certificate("nats"), part: "key" },
    NATS_URL: { kind: "beside", port: "client", prefix: "tls://" },
    NATS_SEED_FILE: { kind: "secret", secret: secretName.system },
    ACCOUNTS_FILE: { kind: "hub-accounts" },
    CA_FILE: { kind: "hub-authorities" },
  },
  resources: { cpuMilli: 10, memoryMebibytes: 128 },
};

const coordination = (size: SizeClass): Workload =>
  service(capitalSite, "coordination", {
    replicas: { least: 2, most: 2 },
    environment: {
      ...databaseEnvironment,
      GRPC_LISTEN: { kind: "listen", port: "grpc" },
      ADVERTISED_ADDRESS: { kind: "own-address", port: "grpc" },
      REGIONS_FILE: { kind: "nation" },
      SIGNING_KEY_FILE: { kind: "secret", secret: secretName.signingKey },
      SIGNING_KEYS_FILE: { kind: "signing-keys" },
      HUB_REPLICAS: { kind: "setting", setting: "hubNodes" },
      ARCHIVE_URL: { kind: "setting", setting: "archive" },
      ARCHIVE_CREDENTIALS_FILE: { kind: "setting", setting: "archiveCredentials" },
      // Node's own: every other connection of coordination names the authority that it trusts.
      NODE_EXTRA_CA_CERTS: { kind: "setting", setting: "archiveAuthority" },
      CONSOLE_DIRECTORY: { kind: "setting", setting: "console" },
      CONSOLE_OPEN_ON_LOOPBACK: { kind: "setting", setting: "consoleOpenOnLoopback" },
    },
    ports: [{ name: "grpc", protocol: "grpc" }],
    secrets: [secretName.postgresPassword, secretName.signingKey],
    resources: resourcesOf(size, 150, 512),
    after: ["nats", "postgres"],
  });
