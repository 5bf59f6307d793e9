/**
 * The words in which a stack is described: what it consists of, never how a
 * process is started somewhere. `infra/local` carries a description out as
 * processes on one machine.
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
  /** Something that the whole run is told: release, level of the log, folders for compiled code and for the page. */
  | { readonly kind: "setting"; readonly setting: Setting };

export type CertificatePart = "ca" | "certificate" | "key";
export type Setting = "release" | "logLevel" | "compileCache" | "console" | "consoleOpenOnLoopback";

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

export interface Resources {
  /** Thousandths of a processor. */
  readonly cpuMilli: number;
  readonly memoryMebibytes: number;
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
  /** The public keys (JWKS) of the identity whose tokens are honoured. */
  | { readonly kind: "identity-keys"; readonly name: string };

export interface Workload {
  readonly name: WorkloadName;
  readonly program: Program;
  readonly replicas: number;
  readonly environment: Readonly<Record<string, Value>>;
  readonly ports: readonly Port[];
  readonly ready: Readiness;
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
  readonly from: WorkloadName | "switch" | "person";
  readonly to: AddressReference;
}

export interface Stack {
  readonly site: SiteName;
  readonly workloads: readonly Workload[];
  readonly secrets: readonly Secret[];
  readonly arrows: readonly Arrow[];
}
