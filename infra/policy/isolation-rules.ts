import { capitalStack } from "../blueprint/capital-stack.ts";
import { regionSchema } from "../blueprint/regions.ts";
import { regionalStack } from "../blueprint/regional-stack.ts";
import type { Arrow, Stack } from "../blueprint/stack.ts";
import type { Manifest } from "../kubernetes/manifest.ts";
import { label, portNumber } from "../kubernetes/names.ts";
import type { Field, Violation } from "./field.ts";
import { must, type StackRule } from "./rule.ts";
import {
  finds,
  nameOf,
  ofKind,
  namespaceOfObject,
  siteKindOf,
  workloadsOf,
  type Runs,
} from "./stack-objects.ts";

const directions = ["ingress", "egress"] as const;
type Direction = (typeof directions)[number];

const deniedFirst: StackRule = {
  name: "namespaces-deny-all-traffic",
  description: "Nobody speaks to anybody unless it is said: also not a pod that nobody has thought of.",
  remedy: "make a NetworkPolicy with podSelector: {}, policyTypes: [Ingress, Egress], and nothing else",
  check: (manifests) =>
    ofKind(manifests, "Namespace").flatMap((namespace) => {
      const deniesAll = ofKind(manifests, "NetworkPolicy").some(
        (policy) => namespaceOfObject(policy) === nameOf(namespace) && isDenial(policy.at("spec")),
      );
      return must(
        deniesAll,
        namespace.at("metadata", "name"),
        "must have a NetworkPolicy that denies all, both ways",
      );
    }),
};

function isDenial(spec: Field): boolean {
  const selector = spec.at("podSelector");
  const types = spec.at("policyTypes").items.map(({ text }) => text);
  return (
    Object.keys(selector.at("matchLabels").texts).length === 0 &&
    selector.at("matchExpressions").items.length === 0 &&
    types.includes("Ingress") &&
    types.includes("Egress") &&
    directions.every((direction) => spec.at(direction).items.length === 0)
  );
}

const ownPolicy: StackRule = {
  name: "workloads-have-a-network-policy-of-their-own",
  description: "Who may speak to a workload, and to whom it may, is said for each by itself.",
  remedy: "make a NetworkPolicy whose podSelector has the labels of the workload's pods",
  check: (manifests) =>
    workloadsOf(manifests).flatMap((workload) =>
      must(
        policiesOf(workload, manifests).length > 0,
        workload.pod.metadata.at("labels", label.name),
        "must be selected by a NetworkPolicy of the workload's own",
      ),
    ),
};

const policiesOf = (workload: Runs, manifests: readonly Manifest[]): readonly Field[] =>
  ofKind(manifests, "NetworkPolicy").filter((policy) =>
    finds(policy.at("spec", "podSelector"), policy, workload),
  );

const onlyArrows: StackRule = {
  name: "network-policies-are-the-arrows-of-the-blueprint",
  description: "Exactly those lines are open that the blueprint draws, each at both of its ends.",
  remedy: "draw the arrow in infra/blueprint, or remove the line",
  check: (manifests) => {
    const site = siteKindOf(manifests);
    if (site === undefined) return [];
    return workloadsOf(manifests).flatMap((workload) => {
      const policies = policiesOf(workload, manifests);
      return directions.flatMap((direction) => {
        const drawn = drawnLines(direction, workload.name, stackOf(site).arrows);
        const optional = optionalLines(direction, workload.name, stackOf(site));
        const open = policies.flatMap((policy) => openLines(direction, policy.at("spec", direction)));
        return [
          ...surplus(open, drawn.union(optional)),
          ...lacking(open, drawn, policies[0]?.at("spec", direction)),
        ];
      });
    });
  },
};

/** Its arrows are those of every region. */
const anyRegion = regionSchema.parse({
  slug: "any",
  iso: "KZ-00",
  names: { kk: "any", ru: "any", en: "any" },
  centre: { kk: "any", ru: "any" },
  coordinates: { latitude: 50, longitude: 60 },
  areaCodes: ["7000"],
  sizeClass: "small",
  rolloutWave: 1,
  cluster: { context: "any" },
});

function stackOf(site: "region" | "capital"): Stack {
  return site === "capital" ? capitalStack() : regionalStack(anyRegion);
}

/** Whoever is not in the site: another site, a switch, a person, or the cluster's ingress in front of people. */
const outside = "outside";
/** The cluster's name server, for whoever asks somebody. */
const names = "names";

/** Lines of a workload as the blueprint draws them: `<peer>:<port>`. */
function drawnLines(direction: Direction, workload: string, arrows: readonly Arrow[]): Set<string> {
  if (direction === "ingress") {
    const incoming = arrows.filter(({ to }) => to.site === undefined && to.workload === workload);
    return new Set(
      incoming.map(({ from, to }) => lineName(isOutside(from) ? outside : from, portNumber(to.port))),
    );
  }
  const outgoing = arrows.filter(({ from }) => from === workload);
  return new Set([
    ...(outgoing.length > 0 ? [names] : []),
    ...outgoing.map(({ to }) =>
      to.site === undefined ? lineName(to.workload, portNumber(to.port)) : outside,
    ),
  ]);
}

/** Lines that may be open, where the site has what they lead to. */
function optionalLines(direction: Direction, workload: string, stack: Stack): ReadonlySet<string> {
  const isDrawn = direction === "egress" && stack.optionalArrows.some(({ from }) => from === workload);
  return new Set(isDrawn ? [outside] : []);
}

const isOutside = (from: Arrow["from"]): boolean =>
  from === "switch" || from === "person" || from === "region";

/** Another site's port is that site's affair: it is not part of the line's name. */
const lineName = (peer: string, port: unknown): string => `${peer}:${String(port)}`;

interface OpenLine {
  readonly line: string;
  readonly peer: Field;
}

/** Lines that a policy opens: each peer with each port. */
function openLines(direction: Direction, rules: Field): readonly OpenLine[] {
  return rules.items.flatMap((rule) => {
    const ports = rule.at("ports").items;
    return rule
      .at(direction === "ingress" ? "from" : "to")
      .items.flatMap((peer) => ports.map((port) => ({ line: openLine(direction, peer, port, ports), peer })));
  });
}

function openLine(direction: Direction, peer: Field, port: Field, ports: readonly Field[]): string {
  const number = port.at("port").value;
  if (direction === "egress" && peer.at("ipBlock").exists) return outside;
  if (peer.at("ipBlock").exists) return lineName(outside, number);
  if (peer.at("namespaceSelector").exists) {
    if (direction === "ingress") return lineName(outside, number);
    return isForNames(ports) ? names : lineName("another namespace", number);
  }
  return lineName(peer.at("podSelector", "matchLabels").texts[label.name] ?? "somebody", number);
}

/** Names are asked by UDP, and by TCP when the answer is long (RFC 7766), at one port. */
function isForNames(ports: readonly Field[]): boolean {
  const protocols = ports.map((port) => port.at("protocol").text).toSorted();
  return protocols.join() === "TCP,UDP" && new Set(ports.map((port) => port.at("port").value)).size === 1;
}

function surplus(open: readonly OpenLine[], drawn: ReadonlySet<string>): readonly Violation[] {
  return open
    .filter(({ line }) => !drawn.has(line))
    .map(({ line, peer }) => peer.violation(`must be an arrow of the blueprint: ${line} is none`));
}

function lacking(
  open: readonly OpenLine[],
  drawn: ReadonlySet<string>,
  rules: Field | undefined,
): readonly Violation[] {
  if (rules === undefined) return [];
  const opened = new Set(open.map(({ line }) => line));
  return [...drawn]
    .filter((line) => !opened.has(line))
    .map((line) => rules.violation(`must open ${line}, as the blueprint draws it`));
}

export const isolationRules: readonly StackRule[] = [deniedFirst, ownPolicy, onlyArrows];
