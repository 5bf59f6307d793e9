import { portNumber } from "../kubernetes/names.ts";
import type { Field, Violation } from "./field.ts";
import { kindRule, must, type Rule } from "./rule.ts";

/** Selects by labels that must be there; `{}` would select everybody. */
const selects = (selector: Field): boolean => Object.keys(selector.at("matchLabels").texts).length > 0;

const narrow = kindRule("NetworkPolicy", {
  name: "network-policies-are-narrow",
  description: "Each line is from somebody, to somebody, at a port.",
  remedy: "name peers by labels or networks, and each port by its number",
  check: (policy) => {
    const spec = policy.at("spec");
    const lines = [
      ...spec.at("ingress").items.map((line) => ({ line, peers: line.at("from") })),
      ...spec.at("egress").items.map((line) => ({ line, peers: line.at("to") })),
    ];
    const forEverybody = !selects(spec.at("podSelector")) && lines.length > 0;
    return [
      ...(forEverybody ? [spec.at("podSelector").violation("must select the pods of one workload")] : []),
      ...["Ingress", "Egress"].flatMap((direction) =>
        must(
          spec.at("policyTypes").items.some(({ text }) => text === direction),
          spec.at("policyTypes"),
          `must be for ${direction} too`,
        ),
      ),
      ...lines.flatMap(({ line, peers }) => [...peerViolations(peers), ...portViolations(line.at("ports"))]),
    ];
  },
});

function peerViolations(peers: Field): readonly Violation[] {
  if (peers.items.length === 0) return [peers.violation("must name a peer: none means everybody")];
  return peers.items.flatMap((peer) => {
    const selectors = ["podSelector", "namespaceSelector"]
      .map((name) => peer.at(name))
      .filter(({ exists }) => exists);
    const block = peer.at("ipBlock", "cidr");
    if (selectors.length === 0 && block.text === undefined)
      return [peer.violation("must name a peer: {} means everybody")];
    return selectors.flatMap((selector) =>
      must(selects(selector), selector, "must have matchLabels: {} means everybody"),
    );
  });
}

function portViolations(ports: Field): readonly Violation[] {
  if (ports.items.length === 0) return [ports.violation("must name a port: none means all")];
  return ports.items.flatMap((port) => [
    ...must(port.at("port").exists, port.at("port"), "must be a port: none means all"),
    ...must(!port.at("endPort").exists, port.at("endPort"), "must be absent: each port is named by itself"),
  ]);
}

/** Ports that the blueprint's arrows from outside name, but for the pages, which an Ingress brings. */
const outsidePorts = ["grpc", "leaf"];

const outside = kindRule("Service", {
  name: "services-open-only-what-is-asked-from-outside",
  description:
    "From outside of a cluster switches, people and regions reach the ports that carry TLS from end to end.",
  remedy: `use LoadBalancer or NodePort only for the ports ${outsidePorts.join(" and ")}, ClusterIP for others`,
  check: (service) => {
    const spec = service.at("spec");
    const type = spec.at("type");
    const addresses = spec.at("externalIPs");
    const common = must(addresses.items.length === 0, addresses, "must be absent");
    if (!type.exists || type.text === "ClusterIP") return common;
    if (type.text !== "LoadBalancer" && type.text !== "NodePort") {
      return [...common, type.violation("must be ClusterIP, LoadBalancer or NodePort")];
    }
    const traffic = spec.at("externalTrafficPolicy");
    return [
      ...common,
      ...must(
        traffic.text === "Local",
        traffic,
        "must be Local: network policies speak of the caller's own address",
      ),
      ...spec.at("ports").items.flatMap(outsidePortViolations),
    ];
  },
});

function outsidePortViolations(port: Field): readonly Violation[] {
  const name = port.at("name").text ?? "";
  if (!outsidePorts.includes(name)) {
    return [
      port.at("name").violation(`must be ${outsidePorts.join(" or ")}: others are not asked from outside`),
    ];
  }
  const number = portNumber(name);
  const target = port.at("targetPort");
  const isRight = port.at("port").value === number && [name, number].some((right) => right === target.value);
  return must(
    isRight,
    isWrongNumber(port, number) ? port.at("port") : target,
    `must be the port ${name} (${number})`,
  );
}

const isWrongNumber = (port: Field, number: number): boolean => port.at("port").value !== number;

const pagesWithTls = kindRule("Ingress", {
  name: "pages-are-behind-tls",
  description: "People's browsers reach pages by TLS, under a host of the site's own.",
  remedy: "give each host of spec.rules an entry in spec.tls with hosts and secretName",
  check: (ingress) => {
    const tls = ingress.at("spec", "tls").items;
    const hosts = tls
      .filter((entry) => (entry.at("secretName").text ?? "") !== "")
      .flatMap((entry) => entry.at("hosts").items.map(({ text }) => text));
    const rest = ingress.at("spec", "defaultBackend");
    const rules = ingress.at("spec", "rules").items;
    return [
      ...must(!rest.exists, rest, "must be absent: it answers for any host"),
      ...must(tls.length > 0, ingress.at("spec", "tls"), "must have TLS"),
      ...rules
        .map((rule) => rule.at("host"))
        .flatMap((host) =>
          must(
            host.text !== undefined && hosts.includes(host.text),
            host,
            "must be among the hosts of spec.tls",
          ),
        ),
    ];
  },
});

export const networkRules: readonly Rule[] = [narrow, outside, pagesWithTls];
