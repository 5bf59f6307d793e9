import { capitalSite, type Arrow, type Workload } from "../blueprint/stack.ts";
import type { Json, Manifest } from "./manifest.ts";
import {
  edgeService,
  isStateful,
  label,
  namespaceOf,
  podSelector,
  podsService,
  portNumber,
  siteLabels,
} from "./names.ts";
import type { Site } from "./site.ts";

/** Services of a workload: inside of the site, for its single pods, and for those who ask from outside. */
export function serviceManifests(workload: Workload, site: Site): readonly Manifest[] {
  if (workload.ports.length === 0) return [];
  const outside = outsidePorts(workload, site);
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadata(workload.name, workload.name, site),
      spec: {
        type: "ClusterIP",
        selector: podSelector(workload.name),
        ports: workload.ports.map(({ name }) => servicePort(name)),
      },
    },
    ...(isStateful(workload) ? [headless(workload, site)] : []),
    ...(outside.length > 0 ? [edge(workload, outside, site)] : []),
    ...(isPage(workload, site) ? [pageIngress(workload, site)] : []),
  ];
}

function metadata(name: string, workload: string, { stack }: Site): Manifest["metadata"] {
  return {
    name,
    namespace: namespaceOf(stack.site),
    labels: { ...siteLabels(stack.site), [label.name]: workload },
  };
}

const servicePort = (name: string): Json => ({
  name,
  port: portNumber(name),
  targetPort: name,
  protocol: "TCP",
});

function headless(workload: Workload, site: Site): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(podsService(workload.name), workload.name, site),
    spec: {
      type: "ClusterIP",
      clusterIP: "None",
      // Nodes of a hub must find each other in order to become ready.
      publishNotReadyAddresses: true,
      selector: podSelector(workload.name),
      ports: workload.ports.map(({ name }) => servicePort(name)),
    },
  };
}

/** Ports that switches, people or regions ask themselves; they carry TLS from end to end. */
function outsidePorts(workload: Workload, { stack }: Site): readonly string[] {
  const arrows = stack.arrows.filter(
    (arrow) => isOutside(arrow.from) && isAt(arrow, workload) && protocolOf(workload, arrow) !== "http",
  );
  return [...new Set(arrows.map(({ to }) => to.port))];
}

const isOutside = (from: Arrow["from"]): boolean =>
  from === "switch" || from === "person" || from === "region";
const isAt = ({ to }: Arrow, workload: Workload): boolean =>
  to.site === undefined && to.workload === workload.name;
const protocolOf = (workload: Workload, { to }: Arrow) =>
  workload.ports.find(({ name }) => name === to.port)?.protocol;

function edge(workload: Workload, ports: readonly string[], site: Site): Manifest {
  const { serviceType, loadBalancerClass, loadBalancerAnnotations } = site.cluster;
  const isBalancer = serviceType === "LoadBalancer";
  const { labels, ...named } = metadata(edgeService(workload.name), workload.name, site);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      ...named,
      ...(labels && { labels }),
      ...(Object.keys(loadBalancerAnnotations).length > 0 ? { annotations: loadBalancerAnnotations } : {}),
    },
    spec: {
      type: serviceType,
      ...(isBalancer && loadBalancerClass !== undefined ? { loadBalancerClass } : {}),
      // The caller's own address is kept: the network policies speak of it.
      ...(serviceType === "ClusterIP" ? {} : { externalTrafficPolicy: "Local" }),
      selector: podSelector(workload.name),
      ports: ports.map(servicePort),
    },
  };
}

/** Its HTTP is for people: through the cluster's ingress, which ends their TLS. */
function isPage(workload: Workload, { stack }: Site): boolean {
  return stack.arrows.some(
    (arrow) => arrow.from === "person" && isAt(arrow, workload) && protocolOf(workload, arrow) === "http",
  );
}

function pageIngress(workload: Workload, site: Site): Manifest {
  const { className, host, issuer } = site.cluster.ingress;
  const { labels, ...named } = metadata(workload.name, workload.name, site);
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...named,
      ...(labels && { labels }),
      annotations: { "cert-manager.io/cluster-issuer": issuer },
    },
    spec: {
      ingressClassName: className,
      tls: [{ hosts: [host], secretName: `${workload.name}-ingress` }],
      rules: [
        {
          host,
          http: {
            paths: [
              {
                path: "/",
                pathType: "Prefix",
                backend: { service: { name: workload.name, port: { name: "http" } } },
              },
            ],
          },
        },
      ],
    },
  };
}

/** Nobody speaks to anybody; then each arrow of the blueprint, at both of its ends, and the line to the archive. */
export function policyManifests(site: Site): readonly Manifest[] {
  const { stack } = site;
  return [
    policy("deny-all", {}, { policyTypes: ["Ingress", "Egress"] }, site),
    ...stack.workloads.map((workload) => {
      const ingress = stack.arrows.filter((arrow) => isAt(arrow, workload));
      const egress = [
        ...stack.arrows
          .filter(({ from }) => from === workload.name)
          .map((arrow) => ({ to: targets(arrow, site), ports: farPortsOf(arrow, site) })),
        ...archiveLine(workload, site),
      ];
      return policy(
        workload.name,
        podSelector(workload.name),
        {
          policyTypes: ["Ingress", "Egress"],
          ...(ingress.length > 0
            ? {
                ingress: ingress.map((arrow) => ({
                  from: sources(arrow, workload, site),
                  ports: portsOf(arrow),
                })),
              }
            : {}),
          ...(egress.length > 0 ? { egress: [names(site), ...egress] } : {}),
        },
        site,
      );
    }),
  ];
}

function policy(
  name: string,
  matchLabels: Readonly<Record<string, string>>,
  spec: Readonly<Record<string, Json>>,
  site: Site,
): Manifest {
  const podSelectorOf = Object.keys(matchLabels).length === 0 ? {} : { matchLabels };
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: {
      name,
      namespace: namespaceOf(site.stack.site),
      labels: { ...siteLabels(site.stack.site), ...matchLabels },
    },
    spec: { podSelector: podSelectorOf, ...spec },
  };
}

const tcp = (port: number): Json => [{ protocol: "TCP", port }];
const portsOf = ({ to }: Arrow): Json => tcp(portNumber(to.port));

/** The capital has its own port towards the regions: whatever stands in front of it may have another number. */
function farPortsOf(arrow: Arrow, { line }: Site): Json {
  if (arrow.to.site === undefined || !("address" in line)) return portsOf(arrow);
  return tcp(Number(line.address.slice(line.address.lastIndexOf(":") + 1)));
}

const blocks = (cidrs: readonly string[]): Json => cidrs.map((cidr) => ({ ipBlock: { cidr } }));

function sources(arrow: Arrow, workload: Workload, { cluster }: Site): Json {
  const { from } = arrow;
  if (from === "switch") return blocks(cluster.networks.switches);
  if (from === "region") return blocks(cluster.networks.regions);
  if (from !== "person") return [{ podSelector: { matchLabels: podSelector(from) } }];
  return protocolOf(workload, arrow) === "http"
    ? [namespaceSelector(cluster.ingress.namespace)]
    : blocks(cluster.networks.people);
}

function targets({ to }: Arrow, { cluster }: Site): Json {
  if (to.site === capitalSite) return blocks(cluster.networks.capital);
  return [{ podSelector: { matchLabels: podSelector(to.workload) } }];
}

/** To the object storage, which is no part of any stack. */
function archiveLine({ name }: Workload, { stack, archive }: Site): Readonly<Record<string, Json>>[] {
  if (archive === undefined || !stack.optionalArrows.some(({ from }) => from === name)) return [];
  return [{ to: blocks(archive.networks), ports: tcp(archive.port) }];
}

const namespaceSelector = (name: string): Readonly<Record<string, Json>> => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
});

/** Whoever asks somebody asks the cluster's DNS for the address first. */
function names({ cluster }: Site): Json {
  const { namespace, labels, port } = cluster.dns;
  return {
    to: [{ ...namespaceSelector(namespace), podSelector: { matchLabels: labels } }],
    ports: [
      { protocol: "UDP", port },
      { protocol: "TCP", port },
    ],
  };
}
