import { findTool } from "#infra/toolchain/tools.ts";
import { etcdAddress, nodeAddress, nodeName, serviceRange, type NodeFolder } from "./configuration.ts";

/** One daemon of a node. */
export interface Daemon {
  readonly name: string;
  readonly command: readonly string[];
}

/** Those that need no API server, and the API server. */
export function firstDaemons(node: NodeFolder): readonly Daemon[] {
  const serviceAccountKey = node.in("configuration", "service-accounts.key");
  return [
    daemon("etcd", {
      "data-dir": node.in("etcd"),
      "listen-client-urls": etcdAddress,
      "advertise-client-urls": etcdAddress,
      // What is written need not outlive a power cut.
      "unsafe-no-fsync": "true",
    }),
    daemon("containerd", { config: node.in("configuration", "containerd.toml") }),
    daemon("kube-apiserver", {
      "etcd-servers": etcdAddress,
      "advertise-address": nodeAddress,
      "cert-dir": node.in("api-server"),
      "kubelet-client-certificate": `${node.kubeletClient}.pem`,
      "kubelet-client-key": `${node.kubeletClient}.key.pem`,
      "kubelet-preferred-address-types": "InternalIP",
      "service-account-key-file": serviceAccountKey,
      "service-account-signing-key-file": serviceAccountKey,
      "service-account-issuer": "https://kubernetes.default.svc",
      "service-cluster-ip-range": serviceRange,
      "token-auth-file": node.in("configuration", "tokens.csv"),
      "authorization-mode": "Node,RBAC",
      "enable-admission-plugins": "NodeRestriction",
      // As clusters are set up: it is the namespace that forbids.
      "allow-privileged": "true",
    }),
  ];
}

/** Those that ask the API server from their first moment. */
export function laterDaemons(node: NodeFolder): readonly Daemon[] {
  return [
    daemon("kube-controller-manager", {
      kubeconfig: node.kubeconfig("kube-controller-manager"),
      "service-account-private-key-file": node.in("configuration", "service-accounts.key"),
      "root-ca-file": node.apiServerCertificate,
      "leader-elect": "false",
    }),
    daemon("kube-scheduler", { kubeconfig: node.kubeconfig("kube-scheduler"), "leader-elect": "false" }),
    daemon("kubelet", {
      config: node.in("configuration", "kubelet.json"),
      kubeconfig: node.kubeconfig("kubelet"),
      "root-dir": node.in("kubelet"),
      "cert-dir": node.in("kubelet", "pki"),
      "hostname-override": nodeName,
      "node-ip": nodeAddress,
    }),
    daemon("kube-proxy", {
      config: node.in("configuration", "kube-proxy.json"),
      "hostname-override": nodeName,
    }),
  ];
}

function daemon(name: Parameters<typeof findTool>[0], flags: Readonly<Record<string, string>>): Daemon {
  const parameters = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  return { name, command: [findTool(name), ...parameters] };
}
