import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "#infra/local/authority.ts";
import { findTool } from "#infra/toolchain/tools.ts";

/** Addresses of a node. Nothing of it is seen outside, so that every node has the same. */
export const nodeName = "node-1";
export const nodeAddress = "10.90.0.1";
export const podRange = "10.91.0.0/24";
export const serviceRange = "10.96.0.0/16";
export const dnsAddress = "10.96.0.10";
export const clusterDomain = "cluster.local";
export const apiServer = `https://${nodeAddress}:6443`;
export const etcdAddress = "http://127.0.0.1:2379";
/** Name of the client whose certificate kubelets trust: the API server. */
export const kubeletClient = "kube-apiserver";

/** Who may ask the API server, with the groups that Kubernetes' own roles are bound to. */
const users = {
  admin: { name: "admin", group: "system:masters" },
  "kube-controller-manager": { name: "system:kube-controller-manager", group: "system:masters" },
  "kube-scheduler": { name: "system:kube-scheduler", group: "" },
  "kube-proxy": { name: "system:kube-proxy", group: "" },
  kubelet: { name: `system:node:${nodeName}`, group: "system:nodes" },
} as const;
export type User = keyof typeof users;

/** What the kubelet wants of the kernel, and sets for the whole machine where it reads anything else. */
const kernelSettings = {
  "vm.overcommit_memory": 1,
  "vm.panic_on_oom": 0,
  "kernel.panic": 10,
  "kernel.panic_on_oops": 1,
  "kernel.keys.root_maxkeys": 1_000_000,
  "kernel.keys.root_maxbytes": 25_000_000,
};

/** Paths of a node's folder. */
export class NodeFolder {
  readonly path: string;
  /** Also the name of its cgroup. */
  readonly cgroup: string;

  constructor(path: string, cgroup: string) {
    this.path = path;
    this.cgroup = cgroup;
  }
  in(...names: readonly string[]): string {
    return join(this.path, ...names);
  }
  kubeconfig(user: User): string {
    return this.in("configuration", `${user}.kubeconfig`);
  }
  log(daemon: string): string {
    return this.in("logs", `${daemon}.log`);
  }
  get containerdSocket(): string {
    return this.in("containerd", "containerd.sock");
  }
  /** Made by the API server for itself: its certificate and the authority that signed it. */
  get apiServerCertificate(): string {
    return this.in("api-server", "apiserver.crt");
  }
  /** Certificate by which kubelets know the API server: path without ending. */
  get kubeletClient(): string {
    return this.in("configuration", "kubelet-client");
  }
}

/**
 * Writes the files that a node's daemons read.
 *
 * @param pauseImage what containerd runs to hold a pod's namespaces
 */
export async function writeConfiguration(node: NodeFolder, pauseImage: string): Promise<void> {
  const write = (content: string | object, ...names: readonly string[]) =>
    writeFileSync(node.in(...names), typeof content === "string" ? content : JSON.stringify(content), {
      mode: 0o600,
    });
  for (const folder of ["configuration/cni", "host/sysctl", "logs", "containerd", "kubelet", "volumes"]) {
    mkdirSync(node.in(folder), { recursive: true });
  }
  for (const [setting, value] of Object.entries(kernelSettings))
    write(`${value}\n`, "host", "sysctl", setting);
  write(nodeName, "host", "name");
  write(`127.0.0.1 localhost\n${nodeAddress} ${nodeName}\n`, "host", "hosts");
  write(`nameserver ${dnsAddress}\n`, "host", "resolv.conf");
  // Pods that take the node's resolver ask nobody: outside there is nothing.
  write("nameserver 127.0.0.1\n", "configuration", "resolv.conf");

  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
  write(String(privateKey.export({ type: "pkcs8", format: "pem" })), "configuration", "service-accounts.key");
  const authority = new Authority(node.in("configuration"));
  await authority.prepare();
  await authority.ensure(node.kubeletClient, kubeletClient, "client");
  write(writeKubeconfigs(node).join("\n"), "configuration", "tokens.csv");

  write(cni(node), "configuration", "cni", "10-bridge.conflist");
  write(containerd(node, pauseImage), "configuration", "containerd.toml");
  write(kubelet(node, authority.caFile), "configuration", "kubelet.json");
  write(kubeProxy(node), "configuration", "kube-proxy.json");
}

/** @returns lines of the API server's token file */
function writeKubeconfigs(node: NodeFolder): readonly string[] {
  return Object.entries(users).map(([file, { name, group }]) => {
    const token = randomBytes(24).toString("hex");
    const kubeconfig = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        { name: "node", cluster: { server: apiServer, "certificate-authority": node.apiServerCertificate } },
      ],
      users: [{ name, user: { token } }],
      contexts: [{ name: "node", context: { cluster: "node", user: name } }],
      "current-context": "node",
    };
    writeFileSync(node.kubeconfig(file as User), JSON.stringify(kubeconfig), { mode: 0o600 });
    return `${token},${name},${name},"${group}"`;
  });
}

function cni(node: NodeFolder) {
  const ipam = {
    type: "host-local",
    dataDir: node.in("addresses"),
    ranges: [[{ subnet: podRange }]],
    routes: [{ dst: "0.0.0.0/0" }],
  };
  return {
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      // Hairpin: a pod reaches itself through its own Service.
      { type: "bridge", bridge: "pods", isGateway: true, hairpinMode: true, ipMasq: false, ipam },
    ],
  };
}

function containerd(node: NodeFolder, pauseImage: string): string {
  const text = (value: string) => JSON.stringify(value);
  return `version = 2
root = ${text(node.in("containerd", "root"))}
state = ${text(node.in("containerd", "state"))}
[grpc]
  address = ${text(node.containerdSocket)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(pauseImage)}
  # The tests themselves may be in a place that forbids to lower a process' score.
  restrict_oom_score_adj = true
  # Its profile would be loaded into the kernel of the whole machine.
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${text(findTool("network-plugins"))}
    conf_dir = ${text(node.in("configuration", "cni"))}
`;
}

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubelet(node: NodeFolder, clientAuthority: string) {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: clientAuthority },
    },
    authorization: { mode: "Webhook" },
    containerRuntimeEndpoint: `unix://${node.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${node.cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    // The whole machine is the node's; only a disk or a memory about to be full is a reason to evict.
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "imagefs.available": "1%",
      "nodefs.inodesFree": "1%",
      "imagefs.inodesFree": "1%",
    },
    imageGCHighThresholdPercent: 100,
    clusterDNS: [dnsAddress],
    clusterDomain,
    resolvConf: node.in("configuration", "resolv.conf"),
    volumePluginDir: node.in("kubelet", "plugins"),
    podLogsDir: node.in("pod-logs"),
    // How long a changed ConfigMap takes to be seen in a running pod; the default is a minute.
    syncFrequency: "5s",
  };
}

/** https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/ */
function kubeProxy(node: NodeFolder) {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    clusterCIDR: podRange,
    clientConnection: { kubeconfig: node.kubeconfig("kube-proxy") },
    // Limits of connection tracking are the whole machine's.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    nftables: { syncPeriod: "10s", minSyncPeriod: "100ms" },
  };
}
