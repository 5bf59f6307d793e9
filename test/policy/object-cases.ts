import { added, allOf, copied, setting } from "./changes.ts";
import { breaking, type Case } from "./case.ts";

const pod = "spec.template.spec";
const container = `${pod}.containers[0]`;
const security = `${container}.securityContext`;
const centre = breaking("region", "Deployment centre");
const screening = breaking("region", "StatefulSet screening");
const postgres = breaking("capital", "StatefulSet postgres");
const secret = breaking("region", "Secret centre");
const configuration = breaking("region", "ConfigMap nats");

const seed = `SU${"A2".repeat(28)}`;

/** Each breaks one rule about an object by itself. */
export const objectCases: readonly Case[] = [
  breaking("region", "DaemonSet agent")("objects-are-of-known-kinds", "kind", "DaemonSet", {
    change: added({ apiVersion: "apps/v1", kind: "DaemonSet" }, "agent"),
    also: "any",
  }),
  breaking("region", "Service centre")("objects-are-of-known-kinds", "apiVersion", "serving.knative.dev/v1", {
    at: "kind",
    found: '"Service"',
  }),
  breaking("region", "Role reader")(
    "nobody-gets-rights-in-the-cluster",
    "apiVersion",
    "rbac.authorization.k8s.io/v1",
    {
      change: added({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role" }, "reader"),
    },
  ),
  ...["baseline", "privileged", undefined].map((level) =>
    breaking("region", "Namespace")(
      "namespaces-enforce-restricted-pods",
      'metadata.labels["pod-security.kubernetes.io/enforce"]',
      level,
    ),
  ),
  breaking("capital", "Namespace")(
    "namespaces-enforce-restricted-pods",
    'metadata.labels["pod-security.kubernetes.io/enforce-version"]',
    "v1.22",
  ),

  ...["hostNetwork", "hostPID", "hostIPC"].map((share) =>
    centre("pods-share-nothing-with-their-machine", `${pod}.${share}`, true),
  ),
  screening("pods-share-nothing-with-their-machine", `${container}.ports[0].hostPort`, 8080),
  centre(
    "pods-share-nothing-with-their-machine",
    `${pod}.volumes[0].hostPath`,
    { path: "/" },
    {
      also: ["volumes-are-of-known-kinds"],
    },
  ),
  centre("volumes-are-of-known-kinds", `${pod}.volumes[0].projected`, {
    sources: [{ serviceAccountToken: { path: "token" } }],
  }),
  centre("files-belong-to-a-group-that-is-not-root", `${pod}.securityContext.fsGroup`, undefined),
  centre("files-belong-to-a-group-that-is-not-root", `${pod}.securityContext.supplementalGroups`, [0], {
    at: `${pod}.securityContext.supplementalGroups[0]`,
    found: "0",
  }),
  ...[true, undefined].flatMap((token) => [
    screening("pods-have-no-token-of-the-cluster", `${pod}.automountServiceAccountToken`, token),
    breaking("region", "ServiceAccount screening")(
      "service-accounts-have-no-token",
      "automountServiceAccountToken",
      token,
    ),
  ]),
  breaking("region", "ServiceAccount centre")("service-accounts-have-no-token", "secrets", [
    { name: "token" },
  ]),
  centre("pods-have-time-to-stop", `${pod}.terminationGracePeriodSeconds`, 5),
  centre("pods-have-time-to-stop", `${container}.lifecycle.preStop.sleep.seconds`, 15, {
    at: `${pod}.terminationGracePeriodSeconds`,
    found: "20",
  }),
  screening("state-is-kept", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "Delete"),
  postgres("state-is-kept", "spec.persistentVolumeClaimRetentionPolicy.whenScaled", undefined),
  breaking("region", "StatefulSet nats")("state-is-kept", "spec.volumeClaimTemplates", []),
  breaking("region", "Deployment nats")("state-is-kept", "kind", "Deployment", {
    change: setting("StatefulSet nats", "kind", "Deployment"),
  }),

  centre("containers-run-as-a-fixed-user-that-is-not-root", `${security}.runAsNonRoot`, false),
  // What a container does not say is taken from its pod.
  centre("containers-run-as-a-fixed-user-that-is-not-root", `${pod}.securityContext.runAsNonRoot`, false, {
    change: allOf(
      setting("Deployment centre", `${security}.runAsNonRoot`, undefined),
      setting("Deployment centre", `${pod}.securityContext.runAsNonRoot`, false),
    ),
  }),
  ...["runAsUser", "runAsGroup"].flatMap((who) => [
    centre("containers-run-as-a-fixed-user-that-is-not-root", `${security}.${who}`, 0),
    centre("containers-run-as-a-fixed-user-that-is-not-root", `${pod}.securityContext.${who}`, undefined, {
      at: `${security}.${who}`,
    }),
  ]),
  ...[true, undefined].map((value) =>
    centre("containers-gain-no-privileges", `${security}.allowPrivilegeEscalation`, value),
  ),
  centre("containers-are-not-privileged", `${security}.privileged`, true),
  centre("containers-are-not-privileged", `${security}.procMount`, "Unmasked"),
  centre("containers-are-not-privileged", `${security}.windowsOptions`, { hostProcess: true }),
  centre("containers-have-no-capabilities", `${security}.capabilities.drop`, ["NET_RAW"]),
  centre("containers-have-no-capabilities", `${security}.capabilities.add`, ["NET_BIND_SERVICE"]),
  ...[false, undefined].map((value) =>
    centre("containers-have-a-read-only-root", `${security}.readOnlyRootFilesystem`, value),
  ),
  centre("containers-are-confined", `${security}.seccompProfile.type`, "Unconfined"),
  centre("containers-are-confined", `${security}.appArmorProfile.type`, "Unconfined"),
  ...["registry.example/qalqan:latest", "qalqan", "qalqan@sha256:0123"].map((image) =>
    centre("images-are-named-by-digest", `${container}.image`, image),
  ),
  ...["requests", "limits"].flatMap((side) =>
    ["cpu", "memory"].map((resource) =>
      screening(
        "containers-have-requests-and-limits",
        `${container}.resources.${side}.${resource}`,
        undefined,
      ),
    ),
  ),
  screening("containers-have-requests-and-limits", `${container}.resources.limits.cpu`, "0"),
  postgres(
    "containers-have-requests-and-limits",
    `${pod}.initContainers[0].resources.limits.memory`,
    undefined,
  ),
  ...["startupProbe", "readinessProbe", "livenessProbe"].flatMap((probe) => [
    centre("containers-are-probed", `${container}.${probe}`, undefined),
    postgres("containers-are-probed", `${pod}.containers[1].${probe}.httpGet.port`, "sql"),
  ]),
  centre("containers-are-probed", `${container}.startupProbe.failureThreshold`, 10_000),

  configuration("configuration-is-immutable-and-named-by-content", "immutable", undefined),
  configuration("configuration-is-immutable-and-named-by-content", "binaryData", { more: "AAAA" }),
  configuration("configuration-is-immutable-and-named-by-content", 'data["nats.conf"]', "listen: 4222\n", {
    at: "metadata.name",
    found: /^"nats-[0-9a-f]{10}"$/,
  }),
  configuration("configuration-is-immutable-and-named-by-content", "metadata.name", "nats", {
    also: ["what-is-named-is-there"],
  }),
  secret("secrets-are-immutable-and-named-by-content", "immutable", false),
  secret(
    "secrets-are-immutable-and-named-by-content",
    "stringData",
    { password: "hunter2" },
    { found: "(hidden)" },
  ),
  secret("secrets-are-immutable-and-named-by-content", "type", "kubernetes.io/service-account-token"),
  secret("secrets-are-immutable-and-named-by-content", 'data["identity-keys"]', "e30=", {
    at: "metadata.name",
    found: /^"centre-[0-9a-f]{10}"$/,
  }),
  centre("secrets-are-files", `${container}.envFrom`, [{ secretRef: { name: "centre" } }]),
  centre(
    "secrets-are-files",
    `${container}.env[0]`,
    { name: "KEY", valueFrom: { secretKeyRef: { name: "centre", key: "key" } } },
    {
      at: `${container}.env[0].valueFrom.secretKeyRef`,
      found: '{"name":"centre","key":"key"}',
    },
  ),
  ...[0o444, 0o460, undefined].map((mode) =>
    centre("configuration-and-secrets-are-read-only", `${pod}.volumes[2].secret.defaultMode`, mode),
  ),
  centre(
    "configuration-and-secrets-are-read-only",
    `${pod}.volumes[2].secret.items`,
    [{ key: "identity-keys", path: "identity-keys", mode: 0o644 }],
    { at: `${pod}.volumes[2].secret.items[0].mode`, found: "420" },
  ),
  centre("configuration-and-secrets-are-read-only", `${container}.volumeMounts[2].readOnly`, undefined),

  ...[
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ",
    `AGE-SECRET-KEY-1${"Q".repeat(20)}`,
    seed,
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0xMjM0.c2ln",
    "user: qalqan\npassword: hunter2",
    'PGPASSWORD="hunter2" psql',
    "postgres://qalqan:hunter2@postgres:5432/qalqan",
  ].flatMap((value) => [
    centre("keys-are-in-secrets-alone", `${container}.env[0].value`, value, { found: "(hidden)" }),
    breaking("capital", "ConfigMap hub-accounts")(
      "keys-are-in-secrets-alone",
      'data["accounts.conf"]',
      value,
      { found: "(hidden)" },
    ),
  ]),
  centre("keys-are-in-secrets-alone", `${container}.args`, ["--seed", seed], {
    at: `${container}.args[1]`,
    found: "(hidden)",
  }),
  centre(
    "keys-are-in-secrets-alone",
    `${container}.env[0]`,
    { name: "DATABASE_PASSWORD", value: "plain" },
    {
      at: `${container}.env[0].value`,
      found: "(hidden)",
    },
  ),

  ...networkCases(),
];

function networkCases(): readonly Case[] {
  const policy = breaking("region", "NetworkPolicy centre");
  const narrow = "network-policies-are-narrow";
  const arrows = ["network-policies-are-the-arrows-of-the-blueprint"];
  const edge = breaking("region", "Service screening-edge");
  const outside = "services-open-only-what-is-asked-from-outside";
  const ingress = breaking("capital", "Ingress coordination");
  return [
    policy(narrow, "spec.ingress[0].from", undefined, { also: arrows }),
    policy(narrow, "spec.ingress[0].from[0]", {}, { also: arrows }),
    policy(narrow, "spec.ingress[0].from[0].podSelector", {}, { also: arrows }),
    policy(
      narrow,
      "spec.egress[1].to[0]",
      { namespaceSelector: {} },
      {
        at: "spec.egress[1].to[0].namespaceSelector",
        found: "{}",
        also: arrows,
      },
    ),
    policy(narrow, "spec.egress[1].ports", [], { also: arrows }),
    policy(narrow, "spec.egress[1].ports[0].port", undefined, { also: arrows }),
    policy(narrow, "spec.egress[1].ports[0].endPort", 65_535),
    policy(narrow, "spec.policyTypes", ["Egress"]),
    breaking("region", "NetworkPolicy everybody")(
      narrow,
      "spec.podSelector",
      {},
      {
        change: copied("NetworkPolicy centre", "everybody", "spec.podSelector", {}),
      },
    ),
    edge(outside, "spec.ports[0].name", "http"),
    edge(outside, "spec.ports[0].targetPort", "http"),
    edge(outside, "spec.ports[0].port", 443),
    edge(outside, "spec.externalTrafficPolicy", "Cluster"),
    edge(outside, "spec.externalIPs", ["192.0.2.1"]),
    breaking("region", "Service postgres")(outside, "spec.type", "NodePort", {
      at: "spec.ports[0].name",
      found: '"sql"',
    }),
    breaking("region", "Service postgres")(outside, "spec.type", "ExternalName"),
    ingress("pages-are-behind-tls", "spec.tls", undefined),
    ingress("pages-are-behind-tls", "spec.tls[0].secretName", undefined, {
      at: "spec.rules[0].host",
      found: /\.qalqan\.example"$/,
    }),
    ingress("pages-are-behind-tls", "spec.rules[0].host", undefined),
    ingress("pages-are-behind-tls", "spec.defaultBackend", {
      service: { name: "coordination", port: { name: "http" } },
    }),
    breaking("region", "Service other")(outside, "spec.type", "LoadBalancer", {
      change: allOf(
        copied("Service postgres", "other", "spec.type", "LoadBalancer"),
        setting("Service other", "spec.externalTrafficPolicy", "Local"),
      ),
      at: "spec.ports[0].name",
      found: '"sql"',
    }),
  ];
}
