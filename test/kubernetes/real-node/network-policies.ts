import { z } from "zod";

/** https://kubernetes.io/docs/reference/kubernetes-api/definitions/label-selector-v1-meta/ */
const selectorSchema = z.strictObject({
  matchLabels: z.record(z.string(), z.string()).default({}),
  matchExpressions: z
    .array(
      z.strictObject({
        key: z.string(),
        operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
        values: z.array(z.string()).default([]),
      }),
    )
    .default([]),
});
type Selector = z.output<typeof selectorSchema>;
type Labels = Readonly<Record<string, string>>;

const portSchema = z.strictObject({
  protocol: z.enum(["TCP", "UDP", "SCTP"]).default("TCP"),
  /** Named ports are not enforced here: a policy with one is refused rather than half enforced. */
  port: z.int().optional(),
  endPort: z.int().optional(),
});
const peerSchema = z.strictObject({
  podSelector: selectorSchema.optional(),
  namespaceSelector: selectorSchema.optional(),
  ipBlock: z.strictObject({ cidr: z.string(), except: z.array(z.string()).default([]) }).optional(),
});
type Peer = z.output<typeof peerSchema>;

const ports = z.array(portSchema).default([]);
const peers = z.array(peerSchema).default([]);
const policySchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.strictObject({
    podSelector: selectorSchema.prefault({}),
    policyTypes: z.array(z.enum(["Ingress", "Egress"])).optional(),
    ingress: z.array(z.strictObject({ from: peers, ports })).default([]),
    egress: z.array(z.strictObject({ to: peers, ports })).optional(),
  }),
});
type Policy = z.output<typeof policySchema>;

const labels = z.record(z.string(), z.string()).default({});
const podSchema = z.object({
  metadata: z.object({ namespace: z.string(), labels }),
  spec: z.object({ hostNetwork: z.boolean().default(false) }),
  status: z.object({ phase: z.string().default(""), podIP: z.string().default("") }).prefault({}),
});
type Pod = z.output<typeof podSchema>;
const namespaceSchema = z.object({ metadata: z.object({ name: z.string(), labels }) });

/** Objects as the API server gives them. */
export interface PolicyWorld {
  readonly policies: readonly unknown[];
  readonly pods: readonly unknown[];
  readonly namespaces: readonly unknown[];
}

type Direction = "ingress" | "egress";

/**
 * A script for `nft --file` that lets through what the policies let through
 * (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
 * The node's own packets pass, as the kubelet's probes must.
 *
 * @throws ZodError for what it cannot enforce
 */
export function rulesOf(world: PolicyWorld): string {
  const policies = world.policies.map((policy) => policySchema.parse(policy));
  const pods = world.pods.map((pod) => podSchema.parse(pod)).filter((pod) => isOnPodNetwork(pod));
  const namespaces = new Map(
    world.namespaces
      .map((namespace) => namespaceSchema.parse(namespace))
      .map(({ metadata }) => [metadata.name, metadata.labels]),
  );
  const chains = (direction: Direction) =>
    pods.flatMap((pod) => {
      const selecting = policies.filter((policy) => isolates(policy, pod, direction));
      if (selecting.length === 0) return [];
      const name = `${direction}-${pod.status.podIP}`;
      const lines = selecting.flatMap((policy) => allowed(policy, direction, pods, namespaces));
      return [{ address: pod.status.podIP, name, text: block(`chain ${name}`, [...lines, "drop"]) }];
    });
  const [ingress, egress] = [chains("ingress"), chains("egress")];
  const table = "table inet network-policies";
  const hook = (name: string, jumps: readonly string[]) =>
    block(`chain ${name}`, [
      `type filter hook ${name} priority filter; policy accept`,
      "ct state established,related accept",
      ...jumps,
    ]);
  // Whether the table is there or not, it is replaced in one transaction.
  return [
    table,
    `delete ${table}`,
    block(table, [
      ...[...ingress, ...egress].map(({ text }) => text),
      hook("forward", [...verdicts("saddr", egress), ...verdicts("daddr", ingress)]),
      // From a pod to the node itself, where the API server is.
      hook("input", verdicts("saddr", egress)),
    ]),
  ].join("\n");
}

const block = (head: string, lines: readonly string[]) => `${head} {\n${lines.join("\n")}\n}`;

function verdicts(side: "saddr" | "daddr", chains: readonly { address: string; name: string }[]) {
  if (chains.length === 0) return [];
  return [`ip ${side} vmap { ${chains.map(({ address, name }) => `${address} : jump ${name}`).join(", ")} }`];
}

function isOnPodNetwork({ spec, status }: Pod): boolean {
  return !spec.hostNetwork && status.podIP !== "" && !["Succeeded", "Failed"].includes(status.phase);
}

function isolates({ metadata, spec }: Policy, pod: Pod, direction: Direction): boolean {
  const types = spec.policyTypes ?? (spec.egress === undefined ? ["Ingress"] : ["Ingress", "Egress"]);
  return (
    types.includes(direction === "ingress" ? "Ingress" : "Egress") &&
    metadata.namespace === pod.metadata.namespace &&
    matches(spec.podSelector, pod.metadata.labels)
  );
}

/** Lines that return, to be let through, from a chain that drops in the end. */
function allowed(
  { metadata, spec }: Policy,
  direction: Direction,
  pods: readonly Pod[],
  namespaces: ReadonlyMap<string, Labels>,
): readonly string[] {
  const rules =
    direction === "ingress"
      ? spec.ingress.map(({ from, ports: listed }) => ({ peers: from, listed }))
      : (spec.egress ?? []).map(({ to, ports: listed }) => ({ peers: to, listed }));
  const side = direction === "ingress" ? "ip saddr" : "ip daddr";
  const isPeer = (peer: Peer, pod: Pod) =>
    (peer.namespaceSelector === undefined
      ? pod.metadata.namespace === metadata.namespace
      : matches(peer.namespaceSelector, namespaces.get(pod.metadata.namespace) ?? {})) &&
    matches(peer.podSelector, pod.metadata.labels);
  return rules.flatMap(({ peers: listedPeers, listed }) => {
    const addresses = listedPeers.flatMap((peer) => {
      if (peer.ipBlock !== undefined) {
        const { cidr, except } = peer.ipBlock;
        return [`${side} ${cidr} ${except.length === 0 ? "" : `${side} != { ${except.join(", ")} }`}`];
      }
      const found = pods.filter((pod) => isPeer(peer, pod)).map(({ status }) => status.podIP);
      return found.length === 0 ? [] : [`${side} { ${found.join(", ")} }`];
    });
    const places = listedPeers.length === 0 ? [""] : addresses;
    const matchesOfPorts = listed.length === 0 ? [""] : listed.map((port) => portMatch(port));
    return places.flatMap((place) => matchesOfPorts.map((port) => `${place} ${port} return`));
  });
}

function portMatch({ protocol, port, endPort }: z.output<typeof portSchema>): string {
  const name = protocol.toLowerCase();
  return port === undefined ? `meta l4proto ${name}` : `${name} dport ${port}-${endPort ?? port}`;
}

function matches(selector: Selector | undefined, of: Labels): boolean {
  const { matchLabels, matchExpressions } = selector ?? { matchLabels: {}, matchExpressions: [] };
  return (
    Object.entries(matchLabels).every(([key, value]) => of[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => {
      const value = of[key];
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          return operator satisfies never;
      }
    })
  );
}
