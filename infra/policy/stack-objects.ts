import type { Manifest } from "../kubernetes/manifest.ts";
import { label } from "../kubernetes/names.ts";
import { Field } from "./field.ts";
import { podOf, type Pod } from "./pods.ts";

/** Something that runs pods, and how many. */
export interface Runs {
  readonly object: Field;
  readonly name: string;
  readonly pod: Pod;
  /** At the quietest hour. */
  readonly replicas: number;
  /** Where that number is said. */
  readonly replicasField: Field;
  readonly autoscaler: Field | undefined;
}

export const ofKind = (manifests: readonly Manifest[], kind: string): readonly Field[] =>
  manifests.filter((manifest) => manifest.kind === kind).map((manifest) => Field.of(manifest));

export const nameOf = (object: Field): string => object.at("metadata", "name").text ?? "";
export const namespaceOfObject = (object: Field): string | undefined =>
  object.at("metadata", "namespace").text;
export const sameNamespace = (one: Field, other: Field): boolean =>
  namespaceOfObject(one) === namespaceOfObject(other);

/** Whether every label is there; a selector without labels selects nothing here. */
export function matches(selector: Field, labels: Field): boolean {
  const wanted = Object.entries(selector.texts);
  const own = labels.texts;
  return wanted.length > 0 && wanted.every(([key, value]) => own[key] === value);
}

/** Everything of a stack that runs pods. */
export function workloadsOf(manifests: readonly Manifest[]): readonly Runs[] {
  const autoscalers = ofKind(manifests, "HorizontalPodAutoscaler");
  return manifests.flatMap((manifest) => {
    const pod = podOf(manifest);
    if (pod === undefined) return [];
    const object = Field.of(manifest);
    const name = nameOf(object);
    const autoscaler = autoscalers.find((each) => {
      const target = each.at("spec", "scaleTargetRef");
      return (
        sameNamespace(each, object) &&
        target.at("kind").text === manifest.kind &&
        target.at("name").text === name
      );
    });
    const replicasField = autoscaler?.at("spec", "minReplicas") ?? object.at("spec", "replicas");
    return [{ object, name, pod, autoscaler, replicasField, replicas: replicasField.number ?? 1 }];
  });
}

/** Whether a selector with matchLabels, in an object of the same namespace, finds the pods of a workload. */
export const finds = (selector: Field, by: Field, { object, pod }: Runs): boolean =>
  sameNamespace(by, object) && matches(selector.at("matchLabels"), pod.metadata.at("labels"));

/** What kind of site a stack is, as its namespace says; `undefined` when it does not. */
export function siteKindOf(manifests: readonly Manifest[]): "region" | "capital" | undefined {
  const kind = ofKind(manifests, "Namespace")[0]?.at("metadata", "labels", label.component).text;
  return kind === "region" || kind === "capital" ? kind : undefined;
}
