import type { Manifest } from "../kubernetes/manifest.ts";
import { Field, type Violation } from "./field.ts";
import { containersOf, podOf, type Container, type Pod } from "./pods.ts";

interface Named {
  /** In lower-case words joined by hyphens. */
  readonly name: string;
  /** What holds, and why. */
  readonly description: string;
  /** What to do about a violation. */
  readonly remedy: string;
}

/** What each object by itself must fulfil. */
export interface Rule extends Named {
  check(manifest: Manifest): readonly Violation[];
}

/** What all objects of a stack must fulfil together. */
export interface StackRule extends Named {
  check(manifests: readonly Manifest[]): readonly Violation[];
}

/** A rule for objects of one kind. */
export function kindRule(
  kind: string,
  { check, ...named }: Named & { readonly check: (object: Field) => readonly Violation[] },
): Rule {
  return { ...named, check: (manifest) => (manifest.kind === kind ? check(Field.of(manifest)) : []) };
}

/** A rule for pods, whatever makes them. */
export function podRule({
  check,
  ...named
}: Named & { readonly check: (pod: Pod) => readonly Violation[] }): Rule {
  return {
    ...named,
    check: (manifest) => {
      const pod = podOf(manifest);
      return pod === undefined ? [] : check(pod);
    },
  };
}

/** A rule for each container of each pod: also for those that run before the others, or for debugging. */
export function containerRule({
  check,
  ...named
}: Named & { readonly check: (container: Container, pod: Pod) => readonly Violation[] }): Rule {
  return podRule({
    ...named,
    check: (pod) => containersOf(pod).flatMap((container) => check(container, pod)),
  });
}

/** A violation unless the field is as it must be. */
export function must(isRight: boolean, field: Field, message: string): readonly Violation[] {
  return isRight ? [] : [field.violation(message)];
}
