import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { findTool } from "#infra/toolchain/tools.ts";
import type { Daemons } from "./daemon.ts";

const readyWaitMs = 60_000;
const host = "127.0.0.1";
const stagesFile = join(import.meta.dirname, "stages.yaml");

/** What all clusters of one test have in common. */
export interface Common {
  readonly etcdAddress: string;
  readonly serviceAccountKeyFile: string;
  readonly tokenFile: string;
  /** Of somebody who may do everything. */
  readonly token: string;
}

/** Where the API server of a running cluster is, and whom to believe that it is. */
export interface RunningCluster {
  readonly name: string;
  readonly server: string;
  readonly authority: string;
}

/** One etcd for all clusters. @returns its address */
export async function startEtcd(
  daemons: Daemons,
  folder: string,
  ports: { client: number; peer: number },
): Promise<string> {
  const address = `http://${host}:${ports.client}`;
  const peerAddress = `http://${host}:${ports.peer}`;
  daemons.start("etcd", findTool("etcd"), {
    "data-dir": join(folder, "etcd"),
    "listen-client-urls": address,
    "advertise-client-urls": address,
    "listen-peer-urls": peerAddress,
    "initial-advertise-peer-urls": peerAddress,
    "initial-cluster": `default=${peerAddress}`,
    // It ends with its test: nothing has to outlive a power cut.
    "unsafe-no-fsync": true,
  });
  await daemons.until("etcd", readyWaitMs, async () => {
    const answer = await fetch(`${address}/readyz`);
    if (!answer.ok) throw new Error(await answer.text());
  });
  return address;
}

/** Starts a cluster's API server, and when it is ready all that works on its objects. */
export async function startCluster(
  daemons: Daemons,
  folder: string,
  name: string,
  port: number,
  common: Common,
): Promise<RunningCluster> {
  const certificates = join(folder, `${name}-certificates`);
  const certificateFile = join(certificates, "apiserver.crt");
  daemons.start(`${name}-kube-apiserver`, findTool("kube-apiserver"), {
    "etcd-servers": common.etcdAddress,
    // Its own part of etcd makes it a cluster of its own.
    "etcd-prefix": `/${name}`,
    "bind-address": host,
    "advertise-address": host,
    // An address of this machine alone cannot be the endpoint of a Service; nothing asks for it.
    "endpoint-reconciler-type": "none",
    "secure-port": port,
    "cert-dir": certificates,
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": common.serviceAccountKeyFile,
    "service-account-signing-key-file": common.serviceAccountKeyFile,
    "service-cluster-ip-range": "10.96.0.0/16",
    "token-auth-file": common.tokenFile,
    "authorization-mode": "RBAC",
    // As nearly all clusters have it: who may run what is for Pod Security to say.
    "allow-privileged": true,
  });
  await daemons.until(`${name}-kube-apiserver`, readyWaitMs, () =>
    askWhetherReady(port, certificateFile, common.token),
  );

  const server = `https://${host}:${port}`;
  const cluster = { name, server, authority: readFileSync(certificateFile, "base64") };
  const kubeconfig = join(folder, `${name}.kubeconfig`);
  writeKubeconfig(kubeconfig, [cluster], common.token);
  const client = { kubeconfig, "kube-api-qps": 500, "kube-api-burst": 1_000 };
  // They have nobody to compete with, and nobody asks them anything.
  const alone = { "leader-elect": false, "secure-port": 0 };
  daemons.start(`${name}-kube-controller-manager`, findTool("kube-controller-manager"), {
    ...client,
    ...alone,
    "service-account-private-key-file": common.serviceAccountKeyFile,
  });
  daemons.start(`${name}-kube-scheduler`, findTool("kube-scheduler"), { ...client, ...alone });
  daemons.start(`${name}-kwok`, findTool("kwok"), {
    kubeconfig,
    config: stagesFile,
    "manage-all-nodes": true,
    // Without leases the controllers take its nodes for lost after less than a minute.
    "node-lease-duration-seconds": 40,
    "node-ip": "10.60.0.1",
    // Room for every pod of all stacks, however often it is replaced.
    cidr: "10.64.0.0/16",
  });
  return cluster;
}

/** Writes a file with one context for each cluster, the first of them chosen. */
export function writeKubeconfig(file: string, clusters: readonly RunningCluster[], token: string): void {
  const content = {
    apiVersion: "v1",
    kind: "Config",
    clusters: clusters.map(({ name, server, authority }) => ({
      name,
      cluster: { server, "certificate-authority-data": authority },
    })),
    users: [{ name: "admin", user: { token } }],
    contexts: clusters.map(({ name }) => ({ name, context: { cluster: name, user: "admin" } })),
    "current-context": clusters[0]?.name ?? "",
  };
  writeFileSync(file, JSON.stringify(content, undefined, 2), { mode: 0o600 });
}

function askWhetherReady(port: number, certificateFile: string, token: string): Promise<void> {
  // The server makes its certificate when it starts; until then there is no such file.
  const ca = readFileSync(certificateFile);
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    get({ host, port, path: "/readyz", ca, headers, agent: false }, (answer) => {
      answer.resume();
      if (answer.statusCode === 200) resolve();
      else reject(new Error(`/readyz answered ${answer.statusCode}`));
    }).once("error", reject);
  });
}
