import { Field } from "./field.ts";
import { kindRule, must, type Rule } from "./rule.ts";

/** Everything that a stack may consist of, and whether it is in a namespace. */
const kinds: Readonly<Record<string, "namespaced" | "of the cluster">> = {
  "v1 Namespace": "of the cluster",
  "scheduling.k8s.io/v1 PriorityClass": "of the cluster",
  "v1 ServiceAccount": "namespaced",
  "v1 ConfigMap": "namespaced",
  "v1 Secret": "namespaced",
  "v1 Service": "namespaced",
  "apps/v1 Deployment": "namespaced",
  "apps/v1 StatefulSet": "namespaced",
  "networking.k8s.io/v1 NetworkPolicy": "namespaced",
  "networking.k8s.io/v1 Ingress": "namespaced",
  "policy/v1 PodDisruptionBudget": "namespaced",
  "autoscaling/v2 HorizontalPodAutoscaler": "namespaced",
};

/** Whether objects of that kind are in a namespace; unknown ones are taken to be. */
export const isNamespaced = ({ apiVersion, kind }: { apiVersion: string; kind: string }): boolean =>
  kinds[`${apiVersion} ${kind}`] !== "of the cluster";

const rightsGroup = /^rbac\.authorization\.k8s\.io\//;

const noRights: Rule = {
  name: "nobody-gets-rights-in-the-cluster",
  description: "No workload talks to the cluster's API, so none needs a role.",
  remedy: "remove the object",
  check: (manifest) => {
    const version = Field.of(manifest).at("apiVersion");
    return must(!rightsGroup.test(version.text ?? ""), version, "must not be an object of RBAC");
  },
};

const knownKinds: Rule = {
  name: "objects-are-of-known-kinds",
  description: "The list of what a stack consists of is closed: each kind on it has rules.",
  remedy: "do without the object, or add its kind to infra/policy/object-rules.ts together with rules for it",
  check: (manifest) => {
    const isKnown = Object.hasOwn(kinds, `${manifest.apiVersion} ${manifest.kind}`);
    // RBAC has a rule of its own, that says why.
    if (isKnown || rightsGroup.test(manifest.apiVersion)) return [];
    return [
      Field.of(manifest)
        .at("kind")
        .violation(`must be one of ${Object.keys(kinds).join(", ")}`),
    ];
  },
};

const restricted = kindRule("Namespace", {
  name: "namespaces-enforce-restricted-pods",
  description: "The cluster itself refuses pods that could do harm to a machine (Pod Security Standards).",
  remedy:
    "set the labels pod-security.kubernetes.io/enforce: restricted and " +
    "pod-security.kubernetes.io/enforce-version: latest",
  check: (namespace) => {
    const enforce = namespace.at("metadata", "labels", "pod-security.kubernetes.io/enforce");
    const version = namespace.at("metadata", "labels", "pod-security.kubernetes.io/enforce-version");
    return [
      ...must(enforce.text === "restricted", enforce, "must be restricted"),
      // An older version knows less of what can do harm; without one the latest is meant.
      ...must(!version.exists || version.text === "latest", version, "must be latest"),
    ];
  },
});

export const objectRules: readonly Rule[] = [knownKinds, noRights, restricted];
