import { capitalSite, type SiteName, type Workload } from "../blueprint/stack.ts";

/** Namespace of a site: its own on any cluster, so that one cluster may hold several in a test. */
export const namespaceOf = (site: SiteName): string => `qalqan-${site}`;

export const label = {
  partOf: "app.kubernetes.io/part-of",
  name: "app.kubernetes.io/name",
  component: "app.kubernetes.io/component",
  version: "app.kubernetes.io/version",
  site: "qalqan.kz/site",
} as const;

/** Labels of everything of a site. */
export const siteLabels = (site: SiteName): Readonly<Record<string, string>> => ({
  [label.partOf]: "qalqan",
  [label.component]: site === capitalSite ? "capital" : "region",
  [label.site]: site,
});

/** By these the pods of a workload are found; they never change. */
export const podSelector = (workload: string): Readonly<Record<string, string>> => ({
  [label.name]: workload,
});

/** Ports inside pods, by the names that the blueprint gives them. */
const portNumbers: Readonly<Record<string, number>> = {
  client: 4222,
  leaf: 7422,
  monitor: 8222,
  route: 6222,
  sql: 5432,
  http: 8080,
  grpc: 7443,
  companion: 8081,
};

export function portNumber(name: string): number {
  const port = portNumbers[name];
  if (port === undefined) throw new RangeError(`no number is known for the port ${name}`);
  return port;
}

/** Service by which the single pods of a StatefulSet have names. */
export const podsService = (workload: string): string => `${workload}-pods`;
/** Service by which a workload is reached from outside of the cluster. */
export const edgeService = (workload: string): string => `${workload}-edge`;

/** Workloads whose pods keep something, or are told apart, are StatefulSets. */
export const isStateful = ({ storage }: Workload): boolean => storage.length > 0;

/** Where things are in a container. */
export const place = {
  configuration: "/etc/qalqan/configuration",
  secrets: "/etc/qalqan/secrets",
  accounts: "/etc/qalqan/accounts",
  sockets: "/run/qalqan",
  temporary: "/tmp",
  application: "/app",
} as const;

const storageFolder = (storage: string): string => `/var/lib/qalqan/${storage}`;
export { storageFolder as storageMount };

/** Folder in which a program keeps its storage. */
export function storagePath(workload: Workload, storage: string): string {
  const { program } = workload;
  // PostgreSQL insists on a folder that is its own; the root of a volume belongs to root.
  const isDatabase = program.kind === "postgres" && program.server.storage === storage;
  return isDatabase ? `${storageFolder(storage)}/data` : storageFolder(storage);
}
