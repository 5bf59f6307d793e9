import { regionAccount } from "#proto/names.ts";
import {
  capitalExports,
  coordinationUser,
  deniedExports,
  firstEpochs,
  leafPermissions,
  lineStreams,
  lineUser,
  regionImports,
  regionUsers,
  systemStreams,
  systemUser,
  type Epochs,
  type Export,
  type Import,
  type NatsUser,
  type Permissions,
} from "./nats-accounts.ts";
import type { NatsServer, Stack } from "./stack.ts";

/** Where the parts of a server are, on the machine or in the container that runs it. */
export interface NatsPlace {
  /** `host:port` to listen on, for a port of the workload. */
  readonly listen: (port: string) => string;
  /** Authority of the site itself. */
  readonly caFile: string;
  /** Authority of the other end of the line: the capital's, or those of all regions. */
  readonly lineCaFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly storageFolder: string;
  /** A file beside the configuration with its secret part: the hub's accounts, or the seed of a region's leaf node. */
  readonly secretFile: string;
  /** Of several nodes of a hub. */
  readonly cluster?: {
    /** Environment variable with the name of this node. */
    readonly nameVariable: string;
    /** `host:port` of the route port of each node, this one among them. */
    readonly nodes: readonly string[];
  };
}

/** A string of the configuration; JSON's escapes are understood, and `$` inside quotes is no variable. */
const quote = (text: string): string => JSON.stringify(text);
const list = (items: readonly string[]): string => `[${items.map(quote).join(", ")}]`;

const indent = (text: string, by: string): string => text.replaceAll(/^(?=.)/gm, by);

function tls(place: NatsPlace, caFile: string, more: readonly string[]): string {
  return [
    "tls {",
    `  cert_file: ${quote(place.certificateFile)}`,
    `  key_file: ${quote(place.keyFile)}`,
    `  ca_file: ${quote(caFile)}`,
    ...more.map((line) => `  ${line}`),
    "}",
  ].join("\n");
}

/** Server to client and server to server: both sides show a certificate. */
const mutual: readonly string[] = ["verify: true", 'min_version: "1.3"'];

/**
 * A line that carries no byte any more while its connection stays is given up
 * after three intervals (measured: 15 s); the default of two minutes would be six.
 */
const stale: readonly string[] = ['ping_interval: "5s"', "ping_max: 2"];

/**
 * How long each step of a line's connecting may take. Each way a satellite's
 * line takes 300 ms and a bad mobile one still more. After TLS come three round
 * trips (the hub's greeting, what compression both want, what both subscribe
 * to); for the first two the region's server would wait one second, so that
 * with 300 ms each way no attempt succeeded. With these, measured: connected
 * and stays with 300 ms and 8,000 bytes/s after 3.3 s, and with up to 800 ms.
 * With a second it does not: for the third, nats-server 2.15.1 waits two seconds
 * whatever it is told (connectProcessTimeout).
 */
const connecting = {
  /** A first packet that nobody answered is sent again after 1 and 3 s. */
  dial: "3s",
  /**
   * TLS, at both ends (seconds). Until it is done the hub knows nobody, and one
   * who connects and says nothing costs it a descriptor and 19 kB for so long
   * (4,000 of them measured: 78 MB, all gone after 5 s): what bounds them is the
   * process's limit of descriptors and memory, and who may reach the port.
   */
  tlsSeconds: 5,
  /** The first two round trips after it. */
  greeting: "8s",
} as const;

/** TLS of a line: first of all, and in so long. */
const handshake: readonly string[] = ["handshake_first: true", `timeout: ${connecting.tlsSeconds}`];

/** Larger than any event or batch; a larger message is refused with an error. */
const payloadBytesMax = 1024 * 1024;

function common(server: NatsServer, place: NatsPlace): string {
  return [
    `server_name: ${place.cluster === undefined ? quote(server.name) : `$${place.cluster.nameVariable}`}`,
    `listen: ${quote(place.listen(server.clientPort))}`,
    `http: ${quote(place.listen(server.monitorPort))}`,
    `max_payload: ${payloadBytesMax}`,
    ...stale,
    tls(place, place.caFile, mutual),
    "jetstream {",
    `  store_dir: ${quote(place.storageFolder)}`,
    `  domain: ${quote(server.domain)}`,
    // What was acknowledged is on the disk (architecture: G1).
    "  sync_interval: always",
    `  max_file_store: ${server.storageBytesMax}`,
    "  max_memory_store: 16777216",
    "}",
  ].join("\n");
}

/** Text of the hub's configuration; its accounts are in a file of their own, which alone changes. */
export function hubConfiguration(server: NatsServer, place: NatsPlace): string {
  if (server.leafPort === undefined) throw new Error(`${server.name} has no port for leaf nodes`);
  return `${[
    common(server, place),
    "leafnodes {",
    `  listen: ${quote(place.listen(server.leafPort))}`,
    "  isolate_leafnode_interest: true",
    // A region uses the address that it was given, and no other that the hub may have.
    "  no_advertise: true",
    indent(tls(place, place.lineCaFile, [...mutual, ...handshake]), "  "),
    "}",
    ...clusterOf(server, place),
    `include ${quote(place.secretFile)}`,
  ].join("\n")}\n`;
}

function clusterOf(server: NatsServer, place: NatsPlace): readonly string[] {
  if (place.cluster === undefined) return [];
  if (server.routePort === undefined) throw new Error(`${server.name} has no port for its other nodes`);
  return [
    "cluster {",
    `  name: ${quote(server.domain)}`,
    `  listen: ${quote(place.listen(server.routePort))}`,
    // Clients use the one address that they were given: the nodes' own are in no certificate.
    "  no_advertise: true",
    `  routes: ${list(place.cluster.nodes.map((node) => `tls://${node}`))}`,
    indent(tls(place, place.caFile, mutual), "  "),
    "}",
  ];
}

/**
 * Text of a region's configuration.
 *
 * @param hubAddress `host:port` of the hub's leaf port
 * @param publicKeys public nkeys of a secret of the region: the current, and while keys are rotated the previous
 */
export function regionConfiguration(
  stack: Stack,
  server: NatsServer,
  place: NatsPlace,
  hubAddress: string,
  publicKeys: (secret: string) => readonly string[],
): string {
  return `${[
    `include ${quote(place.secretFile)}`,
    common(server, place),
    "leafnodes {",
    // First movement after a hub's restart, measured: 150 to 350 ms after it listens; with 1 s, 570 to 1,070 ms.
    '  reconnect: "250ms"',
    "  remotes: [",
    "    {",
    `      urls: [${quote(`tls://${hubAddress}`)}]`,
    "      account: LINE",
    "      nkey: $LEAF_SEED",
    `      deny_exports: ${list(deniedExports)}`,
    `      dial_timeout: ${quote(connecting.dial)}`,
    `      first_info_timeout: ${quote(connecting.greeting)}`,
    indent(tls(place, place.lineCaFile, ['min_version: "1.3"', ...handshake]), "      "),
    "    }",
    "  ]",
    "}",
    "accounts {",
    "  REGION {",
    "    jetstream: enabled",
    indent(users(regionUsers(stack), publicKeys), "    "),
    "    imports: [",
    ...lineStreams(stack.site).map(
      (subject) => `      { stream: { account: LINE, subject: ${quote(subject)} } }`,
    ),
    "    ]",
    "  }",
    "  LINE {",
    indent(users([lineUser(stack.site)], publicKeys), "    "),
    "    exports: [",
    ...lineStreams(stack.site).map((subject) => `      { stream: ${quote(subject)}, accounts: [REGION] }`),
    "    ]",
    "  }",
    "}",
  ].join("\n")}\n`;
}

/** The secret file of a region's server: the seed by which its leaf node is known at the hub. */
export function leafSeedFile(seed: string): string {
  return `LEAF_SEED: ${seed}\n`;
}

/** Public nkeys that the hub's accounts name: of each holder the current, and while keys are rotated the previous. */
export interface HubKeys {
  readonly coordination: readonly string[];
  readonly system: readonly string[];
  /** Of each region's leaf node, by slug: every region of the nation. */
  readonly leaf: ReadonlyMap<string, readonly string[]>;
}

/**
 * Text of the hub's accounts: the capital's, one for each region, and the
 * system's. Written anew and reloaded (SIGHUP) when a region is added.
 */
export function hubAccounts(keys: HubKeys, epochs: Epochs = firstEpochs): string {
  const regions = [...keys.leaf.keys()].sort();
  return `${[
    "accounts {",
    "  CAPITAL {",
    "    jetstream: enabled",
    indent(
      users([coordinationUser], () => keys.coordination),
      "    ",
    ),
    "    exports: [",
    ...capitalExports(regions, epochs).map((item) => `      ${exported(item)}`),
    "    ]",
    "    imports: [",
    ...systemStreams.map((subject) => `      { stream: { account: SYSTEM, subject: ${quote(subject)} } }`),
    "    ]",
    "  }",
    ...regions.map((region) => accountOfRegion(region, keys.leaf.get(region) ?? [], epochs)),
    "  SYSTEM {",
    indent(
      users([systemUser], () => keys.system),
      "    ",
    ),
    "    exports: [",
    ...systemStreams.map((subject) => `      { stream: ${quote(subject)}, accounts: [CAPITAL] }`),
    "    ]",
    "  }",
    "}",
    "system_account: SYSTEM",
  ].join("\n")}\n`;
}

function accountOfRegion(region: string, keys: readonly string[], epochs: Epochs): string {
  return [
    `  ${regionAccount.of(region)} {`,
    "    users: [",
    // The key opens a line, and nothing at the port for clients.
    ...keys.map(
      (key) =>
        `      { nkey: ${key}, permissions: ${permissions(leafPermissions(region))}, allowed_connection_types: ["LEAFNODE"] }`,
    ),
    "    ]",
    "    imports: [",
    ...regionImports(region, epochs).map((item) => `      ${imported(item)}`),
    "    ]",
    "  }",
  ].join("\n");
}

function exported({ kind, subject, manyAnswers, regions }: Export): string {
  const response = manyAnswers === true ? ", response_type: stream" : "";
  return `{ ${kind}: ${quote(subject)}${response}, accounts: ${list(regions.map(regionAccount.of))} }`;
}

function imported({ kind, subject, as }: Import): string {
  const to = as === undefined ? "" : `, to: ${quote(as)}`;
  return `{ ${kind}: { account: CAPITAL, subject: ${quote(subject)} }${to} }`;
}

function users(items: readonly NatsUser[], publicKeys: (secret: string) => readonly string[]): string {
  return [
    "users: [",
    ...items.flatMap((user) =>
      publicKeys(user.secret).map(
        (key) => `  { nkey: ${key}, permissions: ${permissions(user.permissions)} }`,
      ),
    ),
    "]",
  ].join("\n");
}

function permissions({ publish, subscribe }: Permissions): string {
  const deny = publish.deny === undefined ? "" : `, deny: ${list(publish.deny)}`;
  return `{ publish: { allow: ${list(publish.allow)}${deny} }, subscribe: { allow: ${list(subscribe.allow)} } }`;
}
