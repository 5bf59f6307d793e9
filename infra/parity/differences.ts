import type { Site } from "../kubernetes/site.ts";
import type { Json } from "../kubernetes/manifest.ts";

/** One thing that may differ between regions, where it stands, and what it is replaced by; `undefined` leaves it out. */
export interface Difference {
  /** Kinds of objects in which it stands; every kind when absent. */
  readonly kinds?: readonly string[];
  /** Path in the object: fields with dots, items of lists by their name or position. */
  readonly path: RegExp;
  readonly replace: (value: Json, site: Pick<Site, "stack">) => Json | undefined;
}

const by = (placeholder: string) => (): Json => placeholder;
const leftOut = (): undefined => undefined;

/** Digits of a content hash at the end of a name (contentName): the contents themselves are compared. */
const contentHash = /-[0-9a-f]{10}$/;
const withoutHash = (value: Json): Json =>
  typeof value === "string" ? value.replace(contentHash, "-‹content›") : value;

const pods = ["Deployment", "StatefulSet"];
const container = String.raw`^spec\.template\.spec\.(initContainers|containers)\[[a-z]+\]`;
const quantity = String.raw`(requests|limits)\.(cpu|memory)$`;

/**
 * What differs between a region as it is rendered without its keys, and as it
 * runs: key material, and the names that its content makes.
 */
export const keyDifferences: readonly Difference[] = [
  { kinds: ["Secret"], path: /^data\.[a-z.-]+$/, replace: by("‹secret›") },
  { kinds: ["ConfigMap"], path: /^data\.nats\.conf$/, replace: withoutOwnNames },
  { kinds: ["ConfigMap"], path: /^data\.capital-authority\.pem$/, replace: by("‹authority›") },
  { kinds: ["Secret", "ConfigMap"], path: /^metadata\.name$/, replace: withoutHash },
  {
    kinds: pods,
    path: /^spec\.template\.spec\.volumes\[[a-z]+\]\.(configMap\.name|secret\.secretName)$/,
    replace: withoutHash,
  },
];

/**
 * The closed list of what may differ between two regions. Everything else is
 * the same in all of them, or `parity` names the region and the field.
 */
export const differences: readonly Difference[] = [
  // The region's slug, and the names that are made of it.
  { path: /^metadata\.namespace$/, replace: by("‹namespace›") },
  { path: /(^|\.)labels\.qalqan\.kz\/site$/, replace: by("‹slug›") },
  { kinds: ["Namespace"], path: /^metadata\.name$/, replace: by("‹namespace›") },
  { kinds: ["PriorityClass"], path: /^metadata\.name$/, replace: by("‹priority class›") },
  { kinds: pods, path: /^spec\.template\.spec\.priorityClassName$/, replace: by("‹priority class›") },
  {
    kinds: pods,
    path: new RegExp(String.raw`${container}\.env\[QALQAN_REGION\]\.value$`),
    replace: by("‹slug›"),
  },
  // Its names for people.
  {
    kinds: ["Namespace"],
    path: /^metadata\.annotations\.qalqan\.kz\/name-(kk|ru|en)$/,
    replace: by("‹name›"),
  },
  // Amounts by size class.
  { kinds: pods, path: new RegExp(String.raw`${container}\.resources\.${quantity}`), replace: by("‹size›") },
  {
    kinds: pods,
    path: new RegExp(String.raw`${container}\.env\[GOMEMLIMIT\]\.value$`),
    replace: by("‹size›"),
  },
  {
    kinds: ["StatefulSet"],
    path: /^spec\.volumeClaimTemplates\[\d+\]\.spec\.resources\.requests\.storage$/,
    replace: by("‹size›"),
  },
  // What the cluster gives: storage, addresses, certificates of pages, networks, its name server.
  {
    kinds: ["StatefulSet"],
    path: /^spec\.volumeClaimTemplates\[\d+\]\.spec\.storageClassName$/,
    replace: leftOut,
  },
  { kinds: ["Service"], path: /^spec\.type$/, replace: endpointType },
  { kinds: ["Service"], path: /^spec\.(loadBalancerClass|externalTrafficPolicy)$/, replace: leftOut },
  { kinds: ["Service"], path: /^metadata\.annotations$/, replace: leftOut },
  {
    kinds: ["Ingress"],
    path: /^metadata\.annotations\.cert-manager\.io\/cluster-issuer$/,
    replace: by("‹issuer›"),
  },
  { kinds: ["Ingress"], path: /^spec\.ingressClassName$/, replace: by("‹ingress class›") },
  {
    kinds: ["Ingress"],
    path: /^spec\.(tls\[\d+\]\.hosts\[\d+\]|rules\[\d+\]\.host)$/,
    replace: by("‹host›"),
  },
  { kinds: ["NetworkPolicy"], path: /^spec\.(ingress|egress)\[\d+\]\.(from|to)$/, replace: withoutNetworks },
  { kinds: ["NetworkPolicy"], path: /^spec\.egress\[0\]\.ports\[\d+\]\.port$/, replace: by("‹name server›") },
  ...keyDifferences,
];

/** A Service that only the cluster sees keeps its type; one with an address outside has the cluster's. */
function endpointType(value: Json): Json {
  return value === "LoadBalancer" || value === "NodePort" ? "‹endpoint›" : value;
}

/** Public nkeys of users: `U` and 55 digits of base 32. */
const publicKeys = /\bU[A-Z2-7]{55}\b/g;

/** The slug as a word of its own in the server's configuration, and the keys of its users. */
function withoutOwnNames(value: Json, { stack }: Pick<Site, "stack">): Json {
  if (typeof value !== "string") return value;
  const slug = new RegExp(String.raw`(?<![a-z])(nats-)?${stack.site}(?![a-z-])`, "g");
  return value.replaceAll(slug, "$1‹slug›").replaceAll(publicKeys, "‹key›");
}

/** Networks and the cluster's own namespaces; who within the site is meant stays. */
function withoutNetworks(value: Json): Json {
  const peers = value as readonly Readonly<Record<string, Json>>[];
  if (peers.every((peer) => "ipBlock" in peer)) return "‹networks›";
  return peers.map((peer) => ("namespaceSelector" in peer ? "‹part of the cluster›" : peer));
}
