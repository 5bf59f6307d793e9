import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { clusterDomain, dnsAddress, kubeletClient } from "./configuration.ts";

export const systemNamespace = "kube-system";
const name = "coredns";
const role = "system:coredns";
const labels = { "k8s-app": "kube-dns" };
const port = 53;

/** The plugins are those that the tool is built with. */
const corefile = `.:${port} {
  errors
  health :8080
  ready :8181
  cache 5
  kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
    ttl 5
  }
}
`;

const clusterRole = (called: string) => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind: "ClusterRole",
  name: called,
});
const binding = (bound: string, to: string, subject: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: bound },
  roleRef: clusterRole(to),
  subjects: [subject],
});

/** What a cluster has before anybody uses it: names of Services, and the API server's way to logs and `exec`. */
export function systemManifests(corednsImage: string): readonly Manifest[] {
  const metadata = { name, namespace: systemNamespace };
  return [
    binding("kube-apiserver-kubelet", "system:kubelet-api-admin", {
      apiGroup: "rbac.authorization.k8s.io",
      kind: "User",
      name: kubeletClient,
    }),
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: role },
      rules: [
        { apiGroups: [""], resources: ["services", "pods", "namespaces"], verbs: ["list", "watch"] },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
      ],
    },
    binding(role, role, { kind: "ServiceAccount", ...metadata }),
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { Corefile: corefile } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "kube-dns", namespace: systemNamespace, labels },
      spec: {
        clusterIP: dnsAddress,
        selector: labels,
        ports: ["UDP", "TCP"].map((protocol) => ({
          name: `dns-${protocol.toLowerCase()}`,
          port: 53,
          protocol,
          targetPort: port,
        })),
      },
    },
    { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: deployment(corednsImage) },
  ];
}

function deployment(image: string) {
  return {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: name,
        dnsPolicy: "Default",
        securityContext: {
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" },
          // To listen on its port it needs no capability then.
          sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: String(port) }],
        },
        containers: [
          {
            name,
            image,
            args: ["-conf", "/etc/coredns/Corefile"],
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            },
            readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
            livenessProbe: { httpGet: { path: "/health", port: 8080 } },
            volumeMounts: [{ name: "configuration", mountPath: "/etc/coredns" }],
          },
        ],
        volumes: [{ name: "configuration", configMap: { name } }],
      },
    },
  };
}
