/**
 * The words in which a stack is described: what it consists of, never how a
 * process is started somewhere. `infra/local` carries a description out as
 * processes on one machine, `infra/kubernetes` as objects of a cluster.
 */

/** Names of workloads; also how people name them (`kill astana/screening`). */
export type WorkloadName = "nats" | "postgres" | "screening" | "centre" | "replication" | "coordination";

/** A region's slug, or `capital`. */
export type SiteName = string;
export const capitalSite = "capital";

/** What a workload runs. */
export type Program =
  /** A service of the project: `node <main>` with the checkout (or image) as working folder. */
  | { readonly kind: "service"; readonly main: string }
  | { readonly kind: "nats"; readonly server: NatsServer }
  | { readonly kind: "postgres"; readonly server: PostgresServer };

export interface PostgresServer {
  readonly superuser: string;
  readonly database: string;
  readonly passwordSecret: string;
  readonly port: string;
  readonly storage: string;
  /** Lines of `postgresql.conf`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Storage for base backups and the WAL archive, where a keeper runs beside the server. */
  readonly backupStorage: string;
}

export interface NatsServer {
  readonly name: string;
  /** JetStream domain. */
  readonly domain: string;
  readonly role: "hub" | "region";
  readonly certificateSecret: string;
  readonly clientPort: string;
  readonly monitorPort: string;
  /** The hub's port for the regions' leaf nodes. */
  readonly leafPort?: string;
  /** The hub's port for its other nodes. */
  readonly routePort?: string;
  /** A region's line to the hub. */
  readonly hub?: { readonly address: AddressReference; readonly seedSecret: string };
  readonly storage: string;
  readonly storageBytesMax: number;
}

/** Another workload's port, in the same stack unless a site is named. */
export interface AddressReference {
  readonly site?: SiteName;
  readonly workload: WorkloadName;
  readonly port: string;
}

/** Value of an environment variable. */
export type Value =
  | string
  /** `host:port` to listen on, for a port of the workload itself. */
  | { readonly kind: "listen"; readonly port: string }
  /** `host:port` under which the other replicas reach this one. */
  | { readonly kind: "own-address"; readonly port: string }
  /** `<prefix>host:port<suffix>` under which another workload is reached. */
  | {
      readonly kind: "address";
      readonly of: AddressReference;
      readonly prefix?: string;
      readonly suffix?: string;
    }
  /** Path of a file of a secret. */
  | { readonly kind: "secret"; readonly secret: string; readonly part?: CertificatePart }
  /** Path of the workload's storage. */
  | { readonly kind: "storage"; readonly storage: string }
  /** Name of this replica: `<workload>-<ordinal>`. */
  | { readonly kind: "replica" }
  /** Path of a file that lists every region of the nation (JSON). */
  | { readonly kind: "nation" }
  /** Path of a file that lists every region of the country with its area codes (JSON), running or not. */
  | { readonly kind: "country" }
  /** Path of a file with the public signing keys of every site of the nation (JSON), former ones too. */
  | { readonly kind: "signing-keys" }
  /** Something that the whole run is told: release, level of the log, folders for compiled code and for the page. */
  | { readonly kind: "setting"; readonly setting: Setting };

export type CertificatePart = "ca" | "certificate" | "key";
export type Setting =
  | "release"
  | "logLevel"
  | "compileCache"
  | "console"
  | "consoleOpenOnLoopback"
  /** Nodes of the hub, each of which keeps a copy of every stream. */
  | "hubNodes"
  /** URL of the archive of sealed segments; empty: there is none. */
  | "archive"
  /** Path of a file with the access key of the archive; empty where it needs none. */
  | "archiveCredentials"
  /** Path of a file with the authority of the archive's endpoint; empty where those that Node knows vouch for it. */
  | "archiveAuthority";

/** A companion shares the place of its workload, and may ask for parts of it. */
export type CompanionValue =
  | Value
  /** `<prefix>localhost:port`, for a port of the workload that it is beside. */
  | { readonly kind: "beside"; readonly port: string; readonly prefix: string }
  /** Folder of the Unix sockets of the workload. */
  | { readonly kind: "sockets" }
  /** Path of the file with the hub's accounts. */
  | { readonly kind: "hub-accounts" }
  /** Path of the file with the authorities whose leaf nodes the hub lets in. */
  | { readonly kind: "hub-authorities" };

/**
 * A service beside another program, in its pod and with its storage. The local
 * run does without: there the runner reloads the hub, and nothing is backed up.
 */
export interface Companion {
  readonly name: "keeper" | "reloader";
  /** As in Program. */
  readonly main: string;
  readonly environment: Readonly<Record<string, CompanionValue>>;
  readonly resources: Resources;
}

export interface Port {
  readonly name: string;
  readonly protocol: "grpc" | "http" | "nats" | "postgres";
}

/** When a workload may be asked. */
export type Readiness =
  /** GET answers 200, without TLS, on a port that the site alone reaches. */
  | { readonly kind: "http"; readonly port: string; readonly path: string }
  /** The database answers `select 1`. */
  | { readonly kind: "sql" };

/** What is set aside for a program; how far it may go beyond is the same rule for all. */
export interface Resources {
  /** Thousandths of a processor. */
  readonly cpuMilli: number;
  readonly memoryMebibytes: number;
}

/** How many of a workload run at once on a cluster; more than the least when load asks for it. The local run has one. */
export interface Replicas {
  readonly least: number;
  readonly most: number;
}

export interface Storage {
  readonly name: string;
  readonly gibibytes: number;
}

/** A secret of a stack; whoever carries it out makes it once and keeps it. */
export type Secret =
  /** Certificate for server and client, common name `<workload>.<site>`, with key and authority. */
  | { readonly kind: "certificate"; readonly name: string; readonly commonName: string }
  /** Seed of an nkey of NATS. */
  | { readonly kind: "nkey"; readonly name: string }
  /** Random bytes, as hexadecimal digits. */
  | { readonly kind: "random"; readonly name: string; readonly bytes: number }
  /** Ed25519 private key (PKCS 8, PEM) with which the site signs what it says; its public part is known to all. */
  | { readonly kind: "signing-key"; readonly name: string }
  /** The public keys (JWKS) of the identity whose tokens are honoured. */
  | { readonly kind: "identity-keys"; readonly name: string };

export interface Workload {
  readonly name: WorkloadName;
  readonly program: Program;
  readonly replicas: Replicas;
  /** `calls`: the way of a call needs it, so it is the last to be evicted. */
  readonly priority: "calls" | "ordinary";
  readonly companions: readonly Companion[];
  readonly environment: Readonly<Record<string, Value>>;
  readonly ports: readonly Port[];
  readonly ready: Readiness;
  /** Path of GET on the same port that answers 200 once it has started whole; that of readiness when absent. */
  readonly startPath?: string;
  /** Path of GET on the same port as readiness that answers 200 while the process is sound. */
  readonly livePath?: string;
  readonly resources: Resources;
  readonly storage: readonly Storage[];
  /** Names of the stack's secrets that this workload alone reads. */
  readonly secrets: readonly string[];
  /** Must be ready before this one starts. */
  readonly after: readonly WorkloadName[];
  /** Asks the program to stop in order; SIGTERM unless it means something else to it. */
  readonly stopSignal: "SIGTERM" | "SIGINT";
  readonly stopWaitMs: number;
}

/** Who may open connections to whom; everything else may be refused. */
export interface Arrow {
  readonly from: WorkloadName | "switch" | "person" | "region";
  readonly to: AddressReference;
}

/** The same, where a site has what is no part of any stack. */
export interface OptionalArrow {
  readonly from: WorkloadName;
  readonly to: "archive";
}

export interface Stack {
  readonly site: SiteName;
  readonly workloads: readonly Workload[];
  readonly secrets: readonly Secret[];
  readonly arrows: readonly Arrow[];
  readonly optionalArrows: readonly OptionalArrow[];
}
