import { breaking, type Case } from "./case.ts";
import { allOf, changing, copied, setting, without } from "./changes.ts";

const pod = "spec.template.spec";
const container = `${pod}.containers[0]`;
const component = 'metadata.labels["app.kubernetes.io/component"]';

const centre = breaking("region", "Deployment centre");
const screening = breaking("region", "StatefulSet screening");
const hub = breaking("capital", "StatefulSet nats");
const coordination = breaking("capital", "Deployment coordination");
const postgres = breaking("capital", "StatefulSet postgres");
const namespace = (stack: "region" | "capital") => breaking(stack, "Namespace");

const resolves = "what-is-named-is-there";
const arrows = "network-policies-are-the-arrows-of-the-blueprint";

/** Each breaks one rule about all objects of a stack together. */
export const stackCases: readonly Case[] = [
  breaking("region", "Service centre")(
    "objects-are-in-a-namespace-of-the-stack",
    "metadata.namespace",
    "kube-system",
    {
      also: [resolves, "services-find-pods"],
    },
  ),
  breaking("region", "HorizontalPodAutoscaler screening")(
    "objects-are-in-a-namespace-of-the-stack",
    "metadata.namespace",
    undefined,
    { also: "any" },
  ),
  ...["default", undefined, "nobody"].map((account) =>
    centre("workloads-have-an-account-of-their-own", `${pod}.serviceAccountName`, account),
  ),
  centre("workloads-have-an-account-of-their-own", `${pod}.serviceAccountName`, "screening"),
  centre("secrets-are-of-one-workload", `${pod}.volumes[2].secret.secretName`, undefined, {
    change: (manifests) => {
      const other = manifests.find(
        ({ kind, metadata }) => kind === "Secret" && metadata.name.startsWith("screening-"),
      );
      return setting(
        "Deployment centre",
        `${pod}.volumes[2].secret.secretName`,
        other?.metadata.name,
      )(manifests);
    },
    found: /^"screening-/,
  }),
  centre(resolves, `${pod}.volumes[2].secret.secretName`, "centre-0000000000"),
  screening(resolves, `${pod}.volumes[1].configMap.name`, "screening"),
  screening(resolves, `${pod}.priorityClassName`, "system-cluster-critical"),
  screening(resolves, "spec.serviceName", "nowhere"),
  breaking("region", "HorizontalPodAutoscaler screening")(resolves, "spec.scaleTargetRef.name", "nobody", {
    also: ["screening-answers-always"],
  }),
  breaking("region", "Ingress centre")(
    resolves,
    "spec.rules[0].http.paths[0].backend.service.name",
    "nowhere",
  ),
  breaking("region", "Service nats")("services-find-pods", "spec.selector", { app: "nats" }),
  breaking("region", "Service nats")("services-find-pods", "spec.selector", undefined),
  breaking("region", "Service nats")("services-find-pods", "spec.ports[0].targetPort", "sql"),

  namespace("region")("namespaces-deny-all-traffic", "metadata.name", undefined, {
    change: without("NetworkPolicy deny-all"),
    found: /^"qalqan-/,
  }),
  namespace("capital")("namespaces-deny-all-traffic", "metadata.name", undefined, {
    change: setting("NetworkPolicy deny-all", "spec.policyTypes", ["Ingress"]),
    found: '"qalqan-capital"',
    also: ["network-policies-are-narrow"],
  }),
  namespace("region")("namespaces-deny-all-traffic", "metadata.name", undefined, {
    change: setting("NetworkPolicy deny-all", "spec.podSelector", { matchLabels: { a: "b" } }),
    found: /^"qalqan-/,
  }),
  centre(
    "workloads-have-a-network-policy-of-their-own",
    'spec.template.metadata.labels["app.kubernetes.io/name"]',
    "centre",
    { change: without("NetworkPolicy centre") },
  ),
  breaking("region", "NetworkPolicy postgres")(arrows, "spec.ingress[0].from[0]", {
    podSelector: { matchLabels: { "app.kubernetes.io/name": "screening" } },
  }),
  breaking("region", "NetworkPolicy centre")(arrows, "spec.egress[1].to[0]", {
    ipBlock: { cidr: "0.0.0.0/0" },
  }),
  breaking("region", "NetworkPolicy nats")(arrows, "spec.egress", undefined),
  breaking("capital", "NetworkPolicy coordination")(arrows, "spec.egress[0].ports[0].port", 443, {
    at: "spec.egress[0].to[0]",
    found: /namespaceSelector/,
  }),
  breaking("capital", "NetworkPolicy more")(arrows, "spec.ingress[0].from[0]", undefined, {
    change: copied("NetworkPolicy nats", "more", "spec.ingress", [
      { from: [{ ipBlock: { cidr: "0.0.0.0/0" } }], ports: [{ protocol: "TCP", port: 4222 }] },
    ]),
    found: '{"ipBlock":{"cidr":"0.0.0.0/0"}}',
  }),

  namespace("region")("stacks-are-complete", "", undefined, {
    change: allOf(
      ...["Deployment", "ServiceAccount", "NetworkPolicy", "Service", "Secret", "ConfigMap"].map((kind) =>
        without(`${kind} replication`),
      ),
    ),
  }),
  breaking("region", "Deployment center")("stacks-are-complete", "metadata.name", "centre", {
    change: setting("Deployment centre", "metadata.name", "center"),
    found: '"center"',
    also: "any",
  }),
  namespace("capital")("stacks-are-complete", component, undefined, {
    at: "metadata.labels",
    found: /restricted/,
  }),
  ...[
    without("PodDisruptionBudget screening"),
    setting("PodDisruptionBudget screening", "spec.selector.matchLabels", { app: "screening" }),
    copied("PodDisruptionBudget screening", "more", "spec.maxUnavailable", 1),
  ].map((change) =>
    breaking("region", "HorizontalPodAutoscaler screening")(
      "several-replicas-are-never-all-gone",
      "spec.minReplicas",
      2,
      { change },
    ),
  ),
  breaking("capital", "PodDisruptionBudget nats")(
    "several-replicas-are-never-all-gone",
    "spec.maxUnavailable",
    "100%",
  ),
  ...[[], undefined].map((none) =>
    coordination("several-replicas-are-never-all-gone", `${pod}.topologySpreadConstraints`, none),
  ),
  breaking("region", "HorizontalPodAutoscaler screening")("screening-answers-always", "spec.minReplicas", 1),
  breaking("region", "HorizontalPodAutoscaler screening")("screening-answers-always", "spec.maxReplicas", 2),
  screening("screening-answers-always", "", undefined, {
    change: allOf(
      without("HorizontalPodAutoscaler screening"),
      setting("StatefulSet screening", "spec.replicas", 2),
    ),
  }),
  screening("screening-answers-always", `${pod}.priorityClassName`, undefined),
  ...[2, 4, 1].map((nodes) => hub("capital-survives-one-machine", "spec.replicas", nodes)),
  coordination("capital-survives-one-machine", "spec.replicas", 1),
  coordination("services-drain-before-they-stop", `${container}.lifecycle`, undefined, {
    at: `${container}.lifecycle.preStop`,
  }),
  screening("services-drain-before-they-stop", `${container}.lifecycle.preStop`, undefined),
  postgres("databases-are-backed-up", `${pod}.containers`, undefined, {
    change: changing("StatefulSet postgres", `${pod}.containers`, (containers) =>
      [containers].flat().slice(0, 1),
    ),
    found: /"name":"postgres"/,
  }),
  postgres("databases-are-backed-up", "spec.volumeClaimTemplates", [{ metadata: { name: "database" } }]),
  postgres("databases-are-backed-up", `${pod}.volumes[1].configMap.name`, "hub-accounts", {
    at: `${pod}.volumes`,
    found: /hub-accounts/,
  }),
  ...["archive_mode = 'off'", "archive_command = ''"].map((line) =>
    breaking("region", "ConfigMap postgres")("databases-are-backed-up", 'data["postgresql.conf"]', "", {
      change: changing("ConfigMap postgres", 'data["postgresql.conf"]', (text) => `${String(text)}${line}\n`),
      found: /^"fsync/,
      also: ["configuration-is-immutable-and-named-by-content"],
    }),
  ),
];
