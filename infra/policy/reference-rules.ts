import type { Manifest } from "../kubernetes/manifest.ts";
import { Field, type Violation } from "./field.ts";
import { isNamespaced } from "./object-rules.ts";
import { containersOf } from "./pods.ts";
import { must, type StackRule } from "./rule.ts";
import { matches, nameOf, ofKind, sameNamespace, workloadsOf, type Runs } from "./stack-objects.ts";

const ownNamespace: StackRule = {
  name: "objects-are-in-a-namespace-of-the-stack",
  description: "What a stack makes is where it makes the rules, and nothing of it is elsewhere.",
  remedy: "set metadata.namespace to the namespace that the stack makes",
  check: (manifests) => {
    const namespaces = new Set(ofKind(manifests, "Namespace").map(nameOf));
    return manifests.filter(isNamespaced).flatMap((manifest) => {
      const namespace = Field.of(manifest).at("metadata", "namespace");
      return must(
        namespaces.has(namespace.text ?? ""),
        namespace,
        "must be a namespace that the stack makes",
      );
    });
  },
};

const ownAccount: StackRule = {
  name: "workloads-have-an-account-of-their-own",
  description: "Who is who can be told by the account: none is the default one, and none is shared.",
  remedy: "make a ServiceAccount for the workload, and name it in serviceAccountName",
  check: (manifests) => {
    const workloads = workloadsOf(manifests);
    const accounts = ofKind(manifests, "ServiceAccount");
    return workloads.flatMap((workload) => {
      const account = workload.pod.spec.at("serviceAccountName");
      const name = account.text ?? "default";
      const isMade = accounts.some((each) => nameOf(each) === name && sameNamespace(each, workload.object));
      const sharers = workloads.filter(
        (other) =>
          other !== workload &&
          sameNamespace(other.object, workload.object) &&
          other.pod.spec.at("serviceAccountName").text === name,
      );
      const others = sharers.map((sharer) => sharer.name).join(", ");
      return [
        ...must(name !== "default" && isMade, account, "must be a ServiceAccount that the stack makes"),
        ...must(sharers.length === 0, account, `must be its own: ${others} has the same`),
      ];
    });
  },
};

const ownSecrets: StackRule = {
  name: "secrets-are-of-one-workload",
  description: "A workload that is broken into gives away its own secrets, and no other's.",
  remedy: "give each workload a Secret of its own",
  check: (manifests) => {
    const mounted = workloadsOf(manifests).flatMap((workload) =>
      volumesOf(workload, "secret").map((field) => ({ workload, field })),
    );
    return mounted.flatMap(({ workload, field }) => {
      const others = mounted.filter(
        (other) =>
          other.workload !== workload && other.field.at("secretName").text === field.at("secretName").text,
      );
      const names = others.map((other) => other.workload.name).join(", ");
      return must(others.length === 0, field.at("secretName"), `must be its own: ${names} reads it too`);
    });
  },
};

const volumesOf = ({ pod }: Runs, kind: string): readonly Field[] =>
  pod.spec
    .at("volumes")
    .items.map((volume) => volume.at(kind))
    .filter(({ exists }) => exists);

const referencesResolve: StackRule = {
  name: "what-is-named-is-there",
  description:
    "An object that names another finds it in the same stack: nothing waits for what nobody makes.",
  remedy: "make the object that is named, or correct the name",
  check: (manifests) => [
    ...workloadsOf(manifests).flatMap((workload) => referencesOf(workload, manifests)),
    ...ofKind(manifests, "HorizontalPodAutoscaler").flatMap((autoscaler) => {
      const target = autoscaler.at("spec", "scaleTargetRef");
      return missing(target.at("name"), target.at("kind").text ?? "", manifests);
    }),
    ...ofKind(manifests, "Ingress").flatMap((ingress) =>
      ingress
        .at("spec", "rules")
        .items.flatMap((rule) => rule.at("http", "paths").items)
        .flatMap((path) => missing(path.at("backend", "service", "name"), "Service", manifests)),
    ),
  ],
};

function referencesOf(workload: Runs, manifests: readonly Manifest[]): readonly Violation[] {
  const priority = workload.pod.spec.at("priorityClassName");
  return [
    ...volumesOf(workload, "configMap").flatMap((source) =>
      missing(source.at("name"), "ConfigMap", manifests),
    ),
    ...volumesOf(workload, "secret").flatMap((source) =>
      missing(source.at("secretName"), "Secret", manifests),
    ),
    ...(priority.exists ? missing(priority, "PriorityClass", manifests) : []),
    ...(workload.object.manifest.kind === "StatefulSet"
      ? missing(workload.object.at("spec", "serviceName"), "Service", manifests)
      : []),
  ];
}

function missing(name: Field, kind: string, manifests: readonly Manifest[]): readonly Violation[] {
  const object = Field.of(name.manifest);
  const isThere = ofKind(manifests, kind).some(
    (each) => nameOf(each) === name.text && (!isNamespaced(each.manifest) || sameNamespace(each, object)),
  );
  return must(isThere, name, `must be a ${kind} of the stack`);
}

const servicesFindPods: StackRule = {
  name: "services-find-pods",
  description: "Whoever asks a service reaches a program that listens.",
  remedy: "make selector and targetPort those of a workload's pods",
  check: (manifests) => {
    const workloads = workloadsOf(manifests);
    return ofKind(manifests, "Service").flatMap((service) => {
      const selected = workloads.filter((workload) => selectsPodsOf(service, workload));
      const selector = service.at("spec", "selector");
      if (selected.length !== 1) return [selector.violation("must be labels of the pods of one workload")];
      const ports = selected
        .flatMap(({ pod }) => containersOf(pod))
        .flatMap(({ field }) => field.at("ports").items)
        .flatMap((port) => [port.at("name").value, port.at("containerPort").value]);
      return service.at("spec", "ports").items.flatMap((port) => {
        // Without one it is the port itself.
        const target = port.at("targetPort").exists ? port.at("targetPort") : port.at("port");
        return must(ports.includes(target.value), target, "must be a port of the pods");
      });
    });
  },
};

export const selectsPodsOf = (service: Field, { object, pod }: Runs): boolean =>
  sameNamespace(service, object) && matches(service.at("spec", "selector"), pod.metadata.at("labels"));

export const referenceRules: readonly StackRule[] = [
  ownNamespace,
  ownAccount,
  ownSecrets,
  referencesResolve,
  servicesFindPods,
];
