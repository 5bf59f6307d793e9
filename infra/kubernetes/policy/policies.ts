import type { Policies, ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import { rules, stackRules, violationText } from "../../policy/policies.ts";
import type { Rule, StackRule } from "../../policy/rule.ts";
import { titleOf, type Manifest } from "../manifest.ts";

/** A resource, as the engine tells policies of it. */
interface Told {
  readonly type: string;
  readonly name: string;
  readonly props: unknown;
}

/** Every rule, as a policy of Pulumi: what breaks one is not rolled out. */
export const policies: Policies = [...rules.map(resourcePolicy), ...stackRules.map(stackPolicy)];

function shared({ name, description, remedy }: Rule | StackRule) {
  return { name, description, remediationSteps: remedy, enforcementLevel: "mandatory" } as const;
}

function resourcePolicy(rule: Rule): ResourceValidationPolicy {
  return {
    ...shared(rule),
    validateResource: ({ type, name, props }, report) => {
      const manifest = manifestOf({ type, name, props });
      if (manifest === undefined) return;
      for (const violation of rule.check(manifest))
        report(`${violationText(violation)}. Remedy: ${rule.remedy}.`);
    },
  };
}

function stackPolicy(rule: StackRule): StackValidationPolicy {
  return {
    ...shared(rule),
    validateStack: ({ resources }, report) => {
      const told = resources.flatMap(({ type, name, props, urn }) => {
        const manifest = manifestOf({ type, name, props });
        return manifest === undefined ? [] : [{ manifest, urn }];
      });
      const urns = new Map(told.map(({ manifest, urn }) => [titleOf(manifest), urn]));
      for (const violation of rule.check(told.map(({ manifest }) => manifest))) {
        report(`${violationText(violation)}. Remedy: ${rule.remedy}.`, urns.get(violation.object));
      }
    },
  };
}

/** Resources that are nothing on a cluster: Pulumi's own, and the components of the project. */
const notOnCluster = /^(pulumi|qalqan):/;
/** `kubernetes:<group>/<version>:<kind>`. */
const ofKubernetes = /^kubernetes:[^:]+:(?<kind>[^:]+)$/;

/**
 * The manifest that a resource is. One of another provider, or one that only
 * patches or lists objects, becomes an object of a kind that no rule knows:
 * then the closed list of kinds refuses it.
 */
function manifestOf({ type, name, props }: Told): Manifest | undefined {
  if (notOnCluster.test(type)) return undefined;
  const kind = ofKubernetes.exec(type)?.groups?.["kind"];
  if (isManifest(props) && props.kind === kind) return props;
  return { apiVersion: "", kind: type, metadata: { name } };
}

/** The properties stay as they are: the engine's answer to who reads what is not known yet. */
function isManifest(props: unknown): props is Manifest {
  if (typeof props !== "object" || props === null) return false;
  const { apiVersion, kind, metadata } = props as Readonly<Record<string, unknown>>;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return false;
  if (typeof metadata !== "object" || metadata === null) return false;
  return typeof (metadata as Readonly<Record<string, unknown>>)["name"] === "string";
}
