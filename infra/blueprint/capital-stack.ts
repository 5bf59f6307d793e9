import {
  certificates,
  databaseEnvironment,
  nkeys,
  postgres,
  secretName,
  service,
  stopWaitMs,
} from "./parts.ts";
import { capitalSite, type Stack, type Workload } from "./stack.ts";

const gibibyte = 1024 ** 3;

/** Twenty regions' lanes in two epochs each, and the streams that go down. */
const jetStreamBytesMax = 512 * gibibyte;
const jetStreamGibibytes = 600;

/** Everything the capital runs. */
export function capitalStack(): Stack {
  return {
    site: capitalSite,
    workloads: [hub, postgres({ cpuMilli: 1_000, memoryMebibytes: 1_024 }, 200), coordination],
    secrets: [
      ...certificates(capitalSite, ["nats", "coordination"]),
      ...nkeys([secretName.natsUser("coordination"), secretName.system]),
      { kind: "random", name: secretName.postgresPassword, bytes: 24 },
      { kind: "identity-keys", name: secretName.identityKeys },
    ],
    arrows: [
      { from: "coordination", to: { workload: "nats", port: "client" } },
      { from: "coordination", to: { workload: "postgres", port: "sql" } },
      { from: "person", to: { workload: "coordination", port: "grpc" } },
      { from: "person", to: { workload: "coordination", port: "http" } },
    ],
  };
}

const hub: Workload = {
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
      storage: "jetstream",
      storageBytesMax: jetStreamBytesMax,
    },
  },
  replicas: 1,
  environment: {},
  ports: [
    { name: "client", protocol: "nats" },
    { name: "leaf", protocol: "nats" },
    { name: "monitor", protocol: "http" },
  ],
  ready: { kind: "http", port: "monitor", path: "/healthz" },
  livePath: "/healthz?js-server-only=true",
  resources: { cpuMilli: 1_000, memoryMebibytes: 1_024 },
  storage: [{ name: "jetstream", gibibytes: jetStreamGibibytes }],
  secrets: [secretName.certificate("nats")],
  after: [],
  stopSignal: "SIGTERM",
  stopWaitMs,
};

const coordination: Workload = service(capitalSite, "coordination", {
  environment: {
    ...databaseEnvironment,
    GRPC_LISTEN: { kind: "listen", port: "grpc" },
    REGIONS_FILE: { kind: "nation" },
    CONSOLE_DIRECTORY: { kind: "setting", setting: "console" },
    CONSOLE_OPEN_ON_LOOPBACK: { kind: "setting", setting: "consoleOpenOnLoopback" },
  },
  ports: [{ name: "grpc", protocol: "grpc" }],
  secrets: [secretName.postgresPassword],
  resources: { cpuMilli: 1_000, memoryMebibytes: 1_024 },
  after: ["nats", "postgres"],
});
