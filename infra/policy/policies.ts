import type { Manifest } from "../kubernetes/manifest.ts";
import { availabilityRules } from "./availability-rules.ts";
import { configurationRules } from "./configuration-rules.ts";
import { containerRules } from "./container-rules.ts";
import type { Violation } from "./field.ts";
import { isolationRules } from "./isolation-rules.ts";
import { networkRules } from "./network-rules.ts";
import { objectRules } from "./object-rules.ts";
import { podRules } from "./pod-rules.ts";
import { referenceRules } from "./reference-rules.ts";
import type { Rule, StackRule } from "./rule.ts";

/** What each object of a stack must fulfil. */
export const rules: readonly Rule[] = [
  ...objectRules,
  ...podRules,
  ...containerRules,
  ...configurationRules,
  ...networkRules,
];

/** What all objects of a stack must fulfil together. */
export const stackRules: readonly StackRule[] = [...referenceRules, ...isolationRules, ...availabilityRules];

export interface PolicyViolation extends Violation {
  /** Name of the rule. */
  readonly rule: string;
  readonly remedy: string;
}

/** Everything in which the objects of one stack break a rule; empty when they may be rolled out. */
export function checkPolicies(manifests: readonly Manifest[]): readonly PolicyViolation[] {
  const named = ({ name: rule, remedy }: Rule | StackRule, violations: readonly Violation[]) =>
    violations.map((violation) => ({ rule, remedy, ...violation }));
  return [
    ...rules.flatMap((rule) => manifests.flatMap((manifest) => named(rule, rule.check(manifest)))),
    ...stackRules.flatMap((rule) => named(rule, rule.check(manifests))),
  ];
}

/** A violation in one line, for people. */
export function violationText({ object, field, value, message }: Violation): string {
  return field === "" ? `${object}: ${message}` : `${object}: ${field} is ${value}: ${message}`;
}
