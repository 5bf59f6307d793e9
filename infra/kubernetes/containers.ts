import type {
  Companion,
  CompanionValue,
  Program,
  Resources,
  Setting,
  Stack,
  Workload,
} from "../blueprint/stack.ts";
import {
  archiveAuthorityFile,
  archiveCredentialsFile,
  hubAccountsFile,
  hubAuthoritiesFile,
  podNameVariable,
  secretFileName,
} from "./configuration.ts";
import type { Json } from "./manifest.ts";
import { place, portNumber, storageMount, storagePath } from "./names.ts";
import type { Site } from "./site.ts";

type Container = Readonly<Record<string, Json>>;

const podAddressVariable = "POD_IP";

/** No limit is further from what is set aside: a program that needs more is sized wrongly. */
const memoryLimitFactor = 2;
const cpuLimitFactor = 4;
const cpuLimitMilliMin = 1_000;

/** Of a limit of memory, what Go's collector may use before it works harder. */
const goMemoryShare = 0.9;

const probeEverySeconds = { startup: 2, ready: 2, live: 10 };
/** A start may take so long (s): PostgreSQL after a crash, a node of the hub that catches up with the others. */
const startWaitSeconds = 900;

/** Nothing that a container of ours needs more than. */
const hardened: Json = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

/**
 * After an endpoint is taken away it is still asked for a moment: until then
 * everything is answered as ever. Only then comes SIGTERM.
 */
export const goneSeconds = 5;

/** The container of a workload's own program. */
export function programContainer(workload: Workload, site: Site): Container {
  const { program } = workload;
  return {
    name: workload.name,
    image: site.release.images[imageOf(program)],
    imagePullPolicy: "IfNotPresent",
    ...start(workload),
    env: environmentOf(workload, site),
    ports: workload.ports.map(({ name }) => containerPort(name)),
    resources: amounts(workload.resources),
    ...probesOf(workload),
    ...(program.kind === "service" ? { lifecycle: { preStop: { sleep: { seconds: goneSeconds } } } } : {}),
    securityContext: hardened,
    volumeMounts: mountsOf(workload),
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** The container of a companion: the project's own image, in the workload's place. */
export function companionContainer(companion: Companion, workload: Workload, site: Site): Container {
  return {
    name: companion.name,
    image: site.release.images.qalqan,
    imagePullPolicy: "IfNotPresent",
    ...node(companion.main),
    env: variables(companion.environment, workload, site),
    ports: [containerPort("companion")],
    resources: amounts(companion.resources),
    ...httpProbes("companion", "/ready", "/live"),
    securityContext: hardened,
    volumeMounts: mountsOf(workload),
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** Making an empty database needs little, whatever will be in it. */
const initialiseResources: Resources = { cpuMilli: 100, memoryMebibytes: 256 };

/** What must be done before the program starts; none for most. */
export function initContainers(workload: Workload, site: Site): readonly Container[] {
  if (workload.program.kind !== "postgres") return [];
  return [
    {
      name: "initialise",
      image: site.release.images.postgres,
      imagePullPolicy: "IfNotPresent",
      command: ["/bin/sh", `${place.configuration}/initialise.sh`],
      resources: amounts(initialiseResources),
      securityContext: hardened,
      volumeMounts: mountsOf(workload),
      terminationMessagePolicy: "FallbackToLogsOnError",
    },
  ];
}

/** A container that runs a shell script once on the volumes of a workload; the image of PostgreSQL has a shell. */
export function jobContainer(
  name: string,
  script: string,
  environment: Readonly<Record<string, string>>,
  workload: Workload,
  site: Site,
): Container {
  return {
    name,
    image: site.release.images.postgres,
    imagePullPolicy: "IfNotPresent",
    command: ["/bin/sh", "-c", script],
    env: Object.entries(environment).map(([variable, value]) => ({ name: variable, value })),
    resources: amounts(initialiseResources),
    securityContext: hardened,
    volumeMounts: workload.storage.map((storage) => ({
      name: storage.name,
      mountPath: storageMount(storage.name),
    })),
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

function imageOf(program: Program): "qalqan" | "nats" | "postgres" {
  return program.kind === "service" ? "qalqan" : program.kind;
}

function start(workload: Workload): Container {
  const { program } = workload;
  switch (program.kind) {
    case "service":
      return node(program.main);
    case "nats":
      // The image's own entrypoint is the server.
      return { args: ["--config", `${place.configuration}/nats.conf`] };
    case "postgres":
      return {
        command: [
          "postgres",
          "-D",
          storagePath(workload, program.server.storage),
          "-c",
          `config_file=${place.configuration}/postgresql.conf`,
        ],
      };
    default:
      return program satisfies never;
  }
}

const node = (main: string): Container => ({
  command: ["/usr/local/bin/node", "--disable-warning=ExperimentalWarning", main],
  workingDir: place.application,
});

function environmentOf(workload: Workload, site: Site): Json {
  switch (workload.program.kind) {
    case "service":
      return variables(workload.environment, workload, site);
    case "nats":
      return [
        fieldVariable(podNameVariable, "metadata.name"),
        { name: "GOMEMLIMIT", value: `${Math.floor(memoryLimit(workload.resources) * goMemoryShare)}MiB` },
      ];
    case "postgres":
      return [{ name: "LC_ALL", value: "C" }];
    default:
      return workload.program satisfies never;
  }
}

const fieldVariable = (name: string, fieldPath: string): Json => ({
  name,
  // With its version, as an API server keeps it: what is sent and what is there stay equal.
  valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } },
});

function variables(
  environment: Readonly<Record<string, CompanionValue>>,
  workload: Workload,
  site: Site,
): Json {
  const entries = Object.entries(environment);
  const ownAddress = entries.some(([, value]) => typeof value !== "string" && value.kind === "own-address");
  return [
    ...(ownAddress ? [fieldVariable(podAddressVariable, "status.podIP")] : []),
    ...entries.map(([name, value]) =>
      typeof value !== "string" && value.kind === "replica"
        ? fieldVariable(name, "metadata.name")
        : { name, value: resolve(value, workload, site) },
    ),
  ];
}

function resolve(
  value: Exclude<CompanionValue, { kind: "replica" }>,
  workload: Workload,
  site: Site,
): string {
  if (typeof value === "string") return value;
  switch (value.kind) {
    case "listen":
      return `0.0.0.0:${portNumber(value.port)}`;
    case "own-address":
      return `$(${podAddressVariable}):${portNumber(value.port)}`;
    case "address":
      return `${value.prefix ?? ""}${value.of.workload}:${portNumber(value.of.port)}${value.suffix ?? ""}`;
    case "secret":
      return `${place.secrets}/${secretFileName(value.secret, partOf(value, site.stack))}`;
    case "storage":
      return storagePath(workload, value.storage);
    case "nation":
      return `${place.configuration}/nation.json`;
    case "country":
      return `${place.configuration}/country.json`;
    case "signing-keys":
      return `${place.configuration}/signing-keys.json`;
    case "setting":
      return settingOf(value.setting, site);
    case "beside":
      return `${value.prefix}localhost:${portNumber(value.port)}`;
    case "sockets":
      return place.sockets;
    case "hub-accounts":
      return `${place.accounts}/${hubAccountsFile}`;
    case "hub-authorities":
      return `${place.accounts}/${hubAuthoritiesFile}`;
    default:
      return value satisfies never;
  }
}

/** A certificate without a part named is the certificate itself. */
function partOf({ secret, part }: Extract<CompanionValue, { kind: "secret" }>, stack: Stack) {
  const isCertificate = stack.secrets.some(({ name, kind }) => name === secret && kind === "certificate");
  return isCertificate ? (part ?? "certificate") : undefined;
}

function settingOf(setting: Setting, { release, stack, archive }: Site): string {
  switch (setting) {
    case "release":
      return release.version;
    case "logLevel":
      return "info";
    case "compileCache":
      return `${place.temporary}/compile-cache`;
    case "console":
      return `${place.application}/services/console/dist`;
    case "consoleOpenOnLoopback":
      return "false";
    case "hubNodes":
      return String(stack.workloads.find(({ name }) => name === "nats")?.replicas.least ?? 1);
    case "archive":
      return archive?.url ?? "";
    case "archiveCredentials":
      return archive === undefined ? "" : `${place.secrets}/${archiveCredentialsFile}`;
    case "archiveAuthority":
      return archive?.authority === undefined ? "" : `${place.secrets}/${archiveAuthorityFile}`;
    default:
      return setting satisfies never;
  }
}

const containerPort = (name: string): Json => ({ name, containerPort: portNumber(name), protocol: "TCP" });

function amounts(resources: Resources): Json {
  const cpuLimitMilli = Math.max(cpuLimitMilliMin, resources.cpuMilli * cpuLimitFactor);
  return {
    requests: { cpu: cpu(resources.cpuMilli), memory: memory(resources.memoryMebibytes) },
    limits: { cpu: cpu(cpuLimitMilli), memory: memory(memoryLimit(resources)) },
  };
}

const memoryLimit = ({ memoryMebibytes }: Resources): number => memoryMebibytes * memoryLimitFactor;

/** Written as an API server writes them, so that what runs can be compared with what was asked. */
const cpu = (milli: number): string => (milli % 1_000 === 0 ? String(milli / 1_000) : `${milli}m`);
const memory = (mebibytes: number): string =>
  mebibytes % 1_024 === 0 ? `${mebibytes / 1_024}Gi` : `${mebibytes}Mi`;

function probesOf({ ready, livePath, startPath }: Workload): Container {
  switch (ready.kind) {
    case "http":
      return httpProbes(ready.port, ready.path, livePath ?? ready.path, startPath);
    case "sql":
      // The keeper beside it asks `select 1`, and makes the pod ready; here counts that the server listens.
      return probes({ tcpSocket: { port: "sql" } }, { tcpSocket: { port: "sql" } });
    default:
      return ready satisfies never;
  }
}

function httpProbes(port: string, readyPath: string, livePath: string, startPath = livePath): Container {
  const get = (path: string): Container => ({ httpGet: { path, port, scheme: "HTTP" } });
  return probes(get(readyPath), get(livePath), get(startPath));
}

/** Until it lives for the first time only the startup probe asks. */
function probes(ready: Container, live: Container, started = live): Container {
  return {
    startupProbe: {
      ...started,
      periodSeconds: probeEverySeconds.startup,
      timeoutSeconds: 5,
      failureThreshold: startWaitSeconds / probeEverySeconds.startup,
    },
    readinessProbe: {
      ...ready,
      periodSeconds: probeEverySeconds.ready,
      timeoutSeconds: 3,
      failureThreshold: 2,
    },
    livenessProbe: { ...live, periodSeconds: probeEverySeconds.live, timeoutSeconds: 5, failureThreshold: 6 },
  };
}

/** Every container of a pod sees the same folders. */
function mountsOf(workload: Workload): Json {
  const readOnly = (name: string, mountPath: string): Json => ({ name, mountPath, readOnly: true });
  const hasAccounts = workload.program.kind === "nats" && workload.program.server.leafPort !== undefined;
  return [
    { name: "temporary", mountPath: place.temporary },
    readOnly("configuration", place.configuration),
    readOnly("secrets", place.secrets),
    ...(hasAccounts ? [readOnly("accounts", place.accounts)] : []),
    ...(workload.program.kind === "postgres" ? [{ name: "sockets", mountPath: place.sockets }] : []),
    ...workload.storage.map(({ name }) => ({ name, mountPath: storageMount(name) })),
  ];
}
