import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { rules, stackRules } from "#infra/policy/policies.ts";
import type { Case } from "./case.ts";
import { isCalled, withValue } from "./changes.ts";
import {
  PackUnderTest,
  resourceOf,
  secret,
  unknownText,
  urnOf,
  type Diagnostic,
  type Resource,
} from "./engine.ts";
import { objectCases } from "./object-cases.ts";
import { stackCases } from "./stack-cases.ts";
import { stacks } from "./stacks.ts";

let pack: PackUnderTest;
beforeAll(async () => {
  pack = await PackUnderTest.start();
});
afterAll(() => pack[Symbol.asyncDispose]());

const ruleNames = [...rules, ...stackRules].map(({ name }) => name);

/** As the engine has them: what is secret is marked. */
const told = (manifests: readonly Manifest[]): readonly Resource[] =>
  manifests.map((manifest) => {
    const resource = resourceOf(manifest);
    const { data } = resource.props;
    if (manifest.kind !== "Secret") return resource;
    return { ...resource, props: { ...resource.props, data: secret(data as Parameters<typeof secret>[0]) } };
  });

async function analyzed(resources: readonly Resource[]): Promise<readonly Diagnostic[]> {
  const each = await Promise.all(resources.map((resource) => pack.analyze(resource)));
  return each.flat();
}

test("every rule is a policy of the pack, and stops what breaks it", async () => {
  const policies = await pack.policies();
  expect(policies.map(({ name }) => name).toSorted()).toEqual(ruleNames.toSorted());
  expect(policies.filter(({ isMandatory }) => !isMandatory)).toEqual([]);
});

test.each(["region", "capital"] as const)("the pack has nothing to say about a %s", async (stack) => {
  const resources = told(stacks[stack]);
  expect(await analyzed(resources)).toEqual([]);
  expect(await pack.analyzeStack(resources)).toEqual([]);
});

const isOf =
  (name: string) =>
  ({ rule }: Case) =>
    rule === name;

test.each(ruleNames)("a violation is mandatory, and names object and field: %s", async (name) => {
  const broken = objectCases.find(isOf(name)) ?? stackCases.find(isOf(name));
  if (broken === undefined) throw new Error(`no case breaks ${name}`);
  const changed = broken.change(stacks[broken.stack]);
  const ofStack = stackRules.some((rule) => rule.name === name);
  const diagnostics = ofStack
    ? await pack.analyzeStack(told(changed))
    : await analyzed(told(changed.filter((manifest) => !stacks[broken.stack].includes(manifest))));
  const found = diagnostics.filter(({ policy }) => policy === name);
  expect(found).not.toEqual([]);
  expect(found.filter(({ isMandatory }) => !isMandatory)).toEqual([]);
  expect(found.map(({ message }) => message)).toContainEqual(expect.stringContaining(broken.field));
  if (!ofStack) return;
  const urns = changed
    .filter((manifest) => isCalled(manifest, broken.object))
    .map((each) => urnOf(resourceOf(each)));
  expect(urns).toContain(found[0]?.urn);
});

describe("a resource that is no object with rules", () => {
  test.each(["pulumi:pulumi:Stack", "pulumi:providers:kubernetes", "qalqan:kubernetes:RegionalStack"])(
    "may be there when it is nothing on a cluster: %s",
    async (type) => {
      expect(await pack.analyze({ type, name: "a", props: {} })).toEqual([]);
    },
  );

  const configuration = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: {} };
  test.each([
    ["command:local:Command", { create: "true" }],
    ["kubernetes:core/v1:ConfigMapPatch", configuration],
    ["kubernetes:core/v1:ConfigMapList", { apiVersion: "v1", kind: "ConfigMapList", items: [configuration] }],
    ["kubernetes:helm.sh/v3:Release", { chart: "nats" }],
    ["kubernetes:core/v1:Secret", configuration],
  ])("is refused when it is something else: %s", async (type, props) => {
    expect(await pack.analyze({ type, name: "a", props })).toContainEqual(
      expect.objectContaining({ policy: "objects-are-of-known-kinds", isMandatory: true }),
    );
  });
});

test("what is not known before everything is made hides no violation elsewhere", async () => {
  const centre = stacks.region.find((manifest) => isCalled(manifest, "Deployment centre")) as Manifest;
  const path = "spec.template.spec.containers[0]";
  const unknown = withValue(centre, `${path}.env[0].value`, unknownText);
  const broken = withValue(unknown, `${path}.securityContext.privileged`, true);
  const diagnostics = await pack.analyze(resourceOf(broken));
  expect(diagnostics.filter(({ isMandatory }) => isMandatory).map(({ policy }) => policy)).toEqual([
    "containers-are-not-privileged",
  ]);
  expect(diagnostics.filter(({ isMandatory }) => !isMandatory).map(({ policy }) => policy)).toEqual([
    "keys-are-in-secrets-alone",
  ]);
});
