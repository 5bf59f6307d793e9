import { isIPv4 } from "node:net";
import { z } from "zod";

/** A text that is not empty, without space around it. */
export const text = z.string().trim().min(1, "must not be empty");

/** RFC 1123: what a host name and most names of Kubernetes are made of. */
const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const nameOfObject = z
  .string()
  .regex(new RegExp(`^${label}$`), "must be a name of Kubernetes: lower-case letters, digits and hyphens");
export const hostName = z
  .string()
  .max(253)
  .regex(
    new RegExp(`^${label}(\\.${label})+$`),
    "must be a host name in lower case, for example centre.qalqan.example",
  );

const dottedName = z
  .string()
  .regex(new RegExp(`^${label}(\\.${label})*$`), "must be a name of Kubernetes, for example letsencrypt");

/** A whole network: Kubernetes refuses, or misreads, an address of one host with the length of a network. */
const network = z
  .union([z.cidrv4(), z.cidrv6()], "must be a network in CIDR notation, for example 10.0.0.0/8")
  .refine(isWholeNetwork, "must have no bits beyond its length, for example 10.0.0.0/8 and not 10.0.0.1/8");

function isWholeNetwork(cidr: string): boolean {
  const [address = "", length = ""] = cidr.split("/");
  if (!isIPv4(address)) return true;
  const bits = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return bits % 2 ** (32 - Number(length)) === 0;
}

export const networks = z.array(network).min(1, "must name at least one network, for example 10.0.0.0/8");

/** RFC 1918: networks that the Internet does not reach. */
export const privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
/** A line is guarded by TLS with certificates on both sides and by nkeys, wherever it comes from. */
const anyNetwork = ["0.0.0.0/0"];

const serviceTypes = ["LoadBalancer", "NodePort", "ClusterIP"] as const;

/**
 * What is a cluster's own: where it is, and how it gives storage, addresses and
 * certificates. The same for the capital and for a region. Nothing in it can
 * change what a stack consists of; every field but the context has a default
 * that fits a common cluster.
 */
export const clusterSchema = z
  .strictObject({
    /** Context of the kubeconfig. */
    context: text,
    /** Storage class of all volumes; the cluster's default when absent. */
    storageClass: dottedName.optional(),
    /** How workloads that are asked from outside (by switches, people, regions) get an address. */
    serviceType: z.enum(serviceTypes, "must be LoadBalancer, NodePort or ClusterIP").default("LoadBalancer"),
    /** Which load balancer of the cluster; its default when absent. */
    loadBalancerClass: z
      .string()
      .regex(/^[a-zA-Z0-9./-]+$/, "must be a class of load balancers, for example service.k8s.aws/nlb")
      .optional(),
    /** What the cluster's load balancer wants to be told, as annotations of the Service. */
    loadBalancerAnnotations: z.record(text, z.string("must be a text: write it in quotes")).default({}),
    /** How people reach the site's pages. */
    ingress: z
      .strictObject({
        /** Class of the ingress controller. */
        className: dottedName.default("nginx"),
        /** Host name of the pages; `<slug>.qalqan.example` when absent. */
        host: hostName.optional(),
        /** ClusterIssuer of cert-manager that gives the host its certificate. */
        issuer: dottedName.default("letsencrypt"),
        /** Namespace in which the controller runs: the only one whose pods reach the pages. */
        namespace: nameOfObject.default("ingress-nginx"),
      })
      .prefault({}),
    /** From and to which networks connections are let through. */
    networks: z
      .strictObject({
        /** Where the switches are that ask about calls. */
        switches: networks.default(privateNetworks),
        /** Where people work. */
        people: networks.default(privateNetworks),
        /** For the capital: where the regions' lines come from. */
        regions: networks.default(anyNetwork),
        /** For a region: where the hub is. */
        capital: networks.default(anyNetwork),
      })
      .prefault({}),
    /** Where the cluster's name server is, which every workload may ask. */
    dns: z
      .strictObject({
        namespace: nameOfObject.default("kube-system"),
        /** Labels of its pods. */
        labels: z.record(text, z.string()).default({ "k8s-app": "kube-dns" }),
        /** Port of its pods, for UDP and TCP. */
        port: z
          .int()
          .min(1, "must be a port: 1 to 65535")
          .max(65_535, "must be a port: 1 to 65535")
          .default(53),
      })
      .prefault({}),
  })
  .refine(
    ({ serviceType, loadBalancerClass }) => serviceType === "LoadBalancer" || loadBalancerClass === undefined,
    { path: ["loadBalancerClass"], error: "fits serviceType: LoadBalancer alone; remove one of the two" },
  );

type ClusterDocument = z.output<typeof clusterSchema>;

/** Settings of the cluster on which a site runs, with all defaults filled in. */
export type ClusterSettings = Readonly<
  Omit<ClusterDocument, "ingress"> & { ingress: ClusterDocument["ingress"] & { host: string } }
>;

/** Fills in what depends on the site: the host name of its pages. */
export function clusterOf(site: string, cluster: ClusterDocument): ClusterSettings {
  const host = cluster.ingress.host ?? `${site}.qalqan.example`;
  return { ...cluster, ingress: { ...cluster.ingress, host } };
}
