export type PinnedToolName =
  | "nats-server"
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubectl"
  | "kubelet"
  | "kube-proxy"
  | "kwok"
  | "coredns"
  | "object-storage"
  | "pause";

export function pinnedTool(name: PinnedToolName): {
  /** Flag of the set-up that builds it; without: it is always built. */
  readonly flag?: "--cluster" | "--node";
  readonly elsewhere?: { readonly versionMin: string };
  readonly pin: { readonly version?: string; readonly goVersion: string };
};
