import { nodeObstacle } from "#infra/toolchain/locate.mjs";
import { findTool, ToolMissing } from "#infra/toolchain/tools.ts";

const tools = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubectl",
  "kubelet",
  "kube-proxy",
  "coredns",
  "pause",
  "containerd",
  "ctr",
  "nft",
  "ip",
  "network-plugins",
] as const;

/** Why this machine cannot run a real node, for the title of a suite that is skipped; undefined when it can. */
export function whyNoRealNode(): string | undefined {
  const obstacle = nodeObstacle();
  if (obstacle !== undefined) return obstacle;
  for (const tool of tools) {
    try {
      findTool(tool);
    } catch (error) {
      if (error instanceof ToolMissing) return error.message;
      throw error;
    }
  }
  return undefined;
}
