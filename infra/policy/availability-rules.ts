import type { Manifest } from "../kubernetes/manifest.ts";
import type { Field, Violation } from "./field.ts";
import { stateful } from "./pod-rules.ts";
import { containersOf } from "./pods.ts";
import { selectsPodsOf } from "./reference-rules.ts";
import { must, type StackRule } from "./rule.ts";
import { finds, matches, nameOf, ofKind, siteKindOf, workloadsOf, type Runs } from "./stack-objects.ts";

/** Everything that a site runs: no more, no less. */
const workloadNames = {
  region: ["nats", "postgres", "screening", "centre", "replication"],
  capital: ["nats", "postgres", "coordination"],
} as const;

const complete: StackRule = {
  name: "stacks-are-complete",
  description:
    "Each region runs the same workloads, and the capital runs its own: nothing is missing, nothing is beside.",
  remedy: "make the stack from infra/blueprint",
  check: (manifests) => {
    const site = siteKindOf(manifests);
    const [namespace] = ofKind(manifests, "Namespace");
    if (namespace === undefined || site === undefined) {
      return [...ofKind(manifests, "Namespace"), ...workloadsOf(manifests).map(({ object }) => object)]
        .slice(0, 1)
        .map((object) =>
          object
            .at("metadata", "labels")
            .violation("must say in the namespace whether it is a region or the capital"),
        );
    }
    const names: readonly string[] = workloadNames[site];
    const workloads = workloadsOf(manifests);
    const missing = names.filter((name) => !workloads.some((workload) => workload.name === name));
    return [
      ...missing.map((name) => namespace.violation(`must have the workload ${name}`, "(absent)")),
      ...workloads.flatMap(({ name, object }) =>
        must(names.includes(name), object.at("metadata", "name"), `must be one of ${names.join(", ")}`),
      ),
    ];
  },
};

const hostnames = "kubernetes.io/hostname";

const survivesOne: StackRule = {
  name: "several-replicas-are-never-all-gone",
  description:
    "Where a workload has several replicas, they are spread over machines, and a drain takes one at a time.",
  remedy: `give it a PodDisruptionBudget with maxUnavailable: 1 and topologySpreadConstraints over ${hostnames}`,
  check: (manifests) =>
    workloadsOf(manifests)
      .filter(({ replicas }) => replicas > 1)
      .flatMap((workload) => [...budgetViolations(workload, manifests), ...spreadViolations(workload)]),
};

function budgetViolations(workload: Runs, manifests: readonly Manifest[]): readonly Violation[] {
  const budgets = ofKind(manifests, "PodDisruptionBudget").filter((budget) =>
    finds(budget.at("spec", "selector"), budget, workload),
  );
  const [budget] = budgets;
  // An API server obeys no two budgets for one pod.
  if (budget === undefined || budgets.length > 1) {
    return [workload.replicasField.violation("must go with one PodDisruptionBudget for its pods")];
  }
  const unavailable = budget.at("spec", "maxUnavailable");
  return must(unavailable.value === 1, unavailable, "must be 1: a drain goes on, and takes no two at a time");
}

function spreadViolations({ pod }: Runs): readonly Violation[] {
  const spread = pod.spec.at("topologySpreadConstraints");
  const overMachines = spread.items.some(
    (constraint) =>
      constraint.at("topologyKey").text === hostnames &&
      constraint.at("maxSkew").value === 1 &&
      matches(constraint.at("labelSelector", "matchLabels"), pod.metadata.at("labels")),
  );
  return must(overMachines, spread, `must spread the pods over ${hostnames} with a maxSkew of 1`);
}

const screeningAnswers: StackRule = {
  name: "screening-answers-always",
  description:
    "Calls are screened by several replicas, as many as there are calls for, that are evicted last.",
  remedy: "give screening at least 2 replicas, a HorizontalPodAutoscaler and a priorityClassName",
  check: (manifests) =>
    workloadsOf(manifests)
      .filter(({ name }) => name === "screening")
      .flatMap(({ autoscaler, replicas, replicasField, pod, object }) => {
        const priority = pod.spec.at("priorityClassName");
        const value = ofKind(manifests, "PriorityClass")
          .find((each) => nameOf(each) === priority.text)
          ?.at("value");
        const most = autoscaler?.at("spec", "maxReplicas");
        return [
          ...must(replicas >= 2, replicasField, "must be at least 2"),
          ...(most === undefined
            ? [object.violation("must have a HorizontalPodAutoscaler", "(absent)")]
            : must((most.number ?? 0) > replicas, most, "must be more than minReplicas")),
          ...must(priority.exists, priority, "must be the priority of what a call needs"),
          ...(value === undefined
            ? []
            : must((value.number ?? 0) > 0, value, "must be above 0, which all others have")),
        ];
      }),
};

const hubNodesMin = 3;
const coordinationReplicasMin = 2;

const capitalAnswers: StackRule = {
  name: "capital-survives-one-machine",
  description: "A hub of three nodes has a majority without one of them; coordination has one that can lead.",
  remedy: `give the hub an odd number of nodes of at least ${hubNodesMin}, and coordination at least ${coordinationReplicasMin}`,
  check: (manifests) => {
    if (siteKindOf(manifests) !== "capital") return [];
    return workloadsOf(manifests).flatMap(({ name, replicas, replicasField }) => {
      if (name === "nats") {
        const hasMajority = replicas >= hubNodesMin && replicas % 2 === 1;
        return must(hasMajority, replicasField, `must be odd, and at least ${hubNodesMin}`);
      }
      if (name !== "coordination") return [];
      return must(
        replicas >= coordinationReplicasMin,
        replicasField,
        `must be at least ${coordinationReplicasMin}`,
      );
    });
  },
};

const drained: StackRule = {
  name: "services-drain-before-they-stop",
  description:
    "A program is still asked for a moment after its pod is taken from a service: it answers as ever.",
  remedy: "set lifecycle: {preStop: {sleep: {seconds: …}}} on the container that listens",
  check: (manifests) => {
    const services = ofKind(manifests, "Service");
    return workloadsOf(manifests)
      .filter(({ name }) => !stateful.includes(name))
      .flatMap((workload) => {
        const asked = services
          .filter((service) => selectsPodsOf(service, workload))
          .flatMap((service) => service.at("spec", "ports").items)
          .map((port) => (port.at("targetPort").exists ? port.at("targetPort") : port.at("port")).value);
        return containersOf(workload.pod)
          .filter(({ field }) => listensAt(field, asked))
          .map(({ field }) => field.at("lifecycle", "preStop"))
          .flatMap((preStop) =>
            must(preStop.exists, preStop, "must wait before the program is told to stop"),
          );
      });
  },
};

const listensAt = (container: Field, ports: readonly unknown[]): boolean =>
  container
    .at("ports")
    .items.some(
      (port) => ports.includes(port.at("name").value) || ports.includes(port.at("containerPort").value),
    );

const backedUp: StackRule = {
  name: "databases-are-backed-up",
  description: "PostgreSQL archives its WAL and has base backups, on a volume of their own.",
  remedy: "run the keeper beside postgres, claim a second volume, and set archive_mode and archive_command",
  check: (manifests) =>
    workloadsOf(manifests)
      .filter(({ name }) => name === "postgres")
      .flatMap(({ object, pod }) => {
        const claims = object.at("spec", "volumeClaimTemplates");
        const containers = pod.spec.at("containers");
        const hasKeeper = containers.items.some((container) => container.at("name").text === "keeper");
        const mounted = pod.spec.at("volumes").items.map((volume) => volume.at("configMap", "name").text);
        const settings = ofKind(manifests, "ConfigMap")
          .filter((each) => mounted.includes(nameOf(each)))
          .map((each) => each.at("data", "postgresql.conf"))
          .find(({ exists }) => exists);
        return [
          ...must(claims.items.length >= 2, claims, "must claim a volume for backups too"),
          ...must(hasKeeper, containers, "must have the keeper, which makes the base backups"),
          ...(settings === undefined
            ? [pod.spec.at("volumes").violation("must have the ConfigMap with postgresql.conf")]
            : must(
                archives(settings.text ?? ""),
                settings,
                "must have archive_mode on, and an archive_command",
              )),
        ];
      }),
};

const archives = (configuration: string): boolean =>
  settingIn(configuration, "archive_mode") === "on" &&
  (settingIn(configuration, "archive_command") ?? "") !== "";

/** The last line counts (documentation of PostgreSQL 18, 19.1.2). */
function settingIn(configuration: string, name: string): string | undefined {
  const found = Array.from(
    configuration.matchAll(/^(?<name>\w+) *= *'(?<value>.*)'$/gm),
    ({ groups }) => groups,
  );
  return found.findLast((line) => line?.["name"] === name)?.["value"];
}

export const availabilityRules: readonly StackRule[] = [
  complete,
  survivesOne,
  screeningAnswers,
  capitalAnswers,
  drained,
  backedUp,
];
