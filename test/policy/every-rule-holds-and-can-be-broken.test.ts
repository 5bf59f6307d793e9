import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { titleOf, type Json, type Manifest } from "#infra/kubernetes/manifest.ts";
import { checkPolicies, rules, stackRules, violationText } from "#infra/policy/policies.ts";
import type { Case } from "./case.ts";
import { isCalled, withValue } from "./changes.ts";
import { objectCases } from "./object-cases.ts";
import { stackCases } from "./stack-cases.ts";
import { manifestsOf, siteNames, stacks } from "./stacks.ts";

const cases: readonly Case[] = [...objectCases, ...stackCases];
const allRules = [...rules, ...stackRules];

describe("the stacks", () => {
  test.each(siteNames)("keep every rule: %s", async (site) => {
    expect(checkPolicies(await manifestsOf(site)).map(violationText)).toEqual([]);
  });
});

describe("each rule", () => {
  test("has a name of its own that Pulumi takes, and says what holds and what to do", () => {
    const names = allRules.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, description, remedy } of allRules) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)+$/);
      expect(description).toMatch(/^[A-Z].*\.$/);
      expect(remedy).not.toMatch(/\.$/);
    }
  });

  test("has a stack here that breaks it", () => {
    const broken = new Set(cases.map(({ rule }) => rule));
    expect([...broken].toSorted()).toEqual(allRules.map(({ name }) => name).toSorted());
  });

  const titled = cases.map(
    (each) => [`${each.rule}: ${each.object}: ${each.field} is ${String(each.value)}`, each] as const,
  );
  test.each(titled)(
    "is broken by a stack that breaks it, and nothing else is: %s",
    (_, { rule, stack, change, object, field, value, also }) => {
      const changed = change(stacks[stack]);
      const found = checkPolicies(changed);
      const titles = changed.filter((manifest) => isCalled(manifest, object)).map(titleOf);
      expect(found.filter((each) => each.rule === rule)).toContainEqual(
        expect.objectContaining({
          object: titles.at(-1),
          field,
          value: expect.stringMatching(textOf(value)),
        }),
      );
      if (also === "any") return;
      expect([...new Set(found.map((each) => each.rule))].toSorted()).toEqual([rule, ...also].toSorted());
    },
  );
});

describe("a rule for pods", () => {
  const centre = stacks.region.find((manifest) => isCalled(manifest, "Deployment centre"));
  const inPods = objectCases.filter(
    ({ object, field, rule }) =>
      object === "Deployment centre" && field.startsWith("spec.template.spec.") && !/^(keys-are)/.test(rule),
  );
  const holders: readonly (readonly [kind: string, holding: (template: unknown) => object])[] = [
    ["Pod", (template) => ({ ...(template as object) })],
    ["StatefulSet", (template) => ({ spec: { template } })],
    ["DaemonSet", (template) => ({ spec: { template } })],
    ["ReplicaSet", (template) => ({ spec: { template } })],
    ["Job", (template) => ({ spec: { template } })],
    ["CronJob", (template) => ({ spec: { jobTemplate: { spec: { template } } } })],
  ];

  test.each(holders)("is for pods of a %s too", (kind, holding) => {
    expect(inPods.length).toBeGreaterThan(30);
    for (const { rule, change } of inPods) {
      const [broken] = change(centre === undefined ? [] : [centre]);
      const template = templateOf(broken);
      const object = { apiVersion: "v1", ...holding(template), kind, metadata: { name: "other" } };
      const found = allRules.find(({ name }) => name === rule) as (typeof rules)[number];
      expect([rule, found.check(object as unknown as Manifest).length > 0]).toEqual([rule, true]);
    }
  });

  const lists = ["initContainers", "ephemeralContainers"];
  const ofPrograms = /^(containers-are-probed|pods-have-time-to-stop)$/;
  test.each(lists)("is for %s too", (list) => {
    const inContainers = inPods.filter(
      ({ field, rule }) => field.includes(".containers[0].") && !ofPrograms.test(rule),
    );
    expect(inContainers.length).toBeGreaterThan(15);
    for (const { rule, change } of inContainers) {
      const [broken] = change(centre === undefined ? [] : [centre]);
      const { containers } = templateOf(broken).spec;
      const moved = withValue(
        withValue(broken as Manifest, `spec.template.spec.${list}`, containers),
        "spec.template.spec.containers",
        templateOf(centre).spec.containers,
      );
      expect(checkPolicies([moved]).map((each) => [each.rule, each.field])).toContainEqual([
        rule,
        expect.stringContaining(`.${list}[0].`),
      ]);
    }
  });

  test("asks for probes of a container that runs beside the others from the start", () => {
    const sidecar = withValue(
      withValue(centre as Manifest, "spec.template.spec.initContainers", templateOf(centre).spec.containers),
      "spec.template.spec.initContainers[0].restartPolicy",
      "Always",
    );
    const probed = (manifest: Manifest) =>
      checkPolicies([manifest]).filter(({ rule }) => rule === "containers-are-probed");
    expect(probed(sidecar)).toEqual([]);
    const field = "spec.template.spec.initContainers[0].livenessProbe";
    expect(probed(withValue(sidecar, field, undefined))).toMatchObject([{ field, value: "(absent)" }]);
  });
});

interface Template {
  readonly spec: { readonly containers: unknown };
}

function templateOf(manifest: Manifest | undefined): Template {
  const spec = manifest?.["spec"] as { readonly template: Template } | undefined;
  if (spec === undefined) throw new Error("there is no object with pods");
  return spec.template;
}

/** Matches the text itself, or what the expression does. */
function textOf(value: string | RegExp): RegExp {
  return typeof value === "string" ? new RegExp(`^${RegExp.escape(value)}$`) : value;
}

test("no violation shows what is in a Secret", () => {
  const secrets = stacks.region.filter(({ kind }) => kind === "Secret");
  const broken = secrets.map((secret) => ({
    ...secret,
    immutable: false,
    type: "other",
    stringData: secret["data"] ?? null,
  }));
  const shown = checkPolicies(broken).map(violationText).join("\n");
  expect(shown).toContain("(hidden)");
  for (const secret of secrets) {
    for (const text of Object.values(secret["data"] as Readonly<Record<string, string>>)) {
      expect(shown).not.toContain(text);
      expect(shown).not.toContain(Buffer.from(text, "base64").toString().trim());
    }
  }
});

test("whatever a manifest is, the rules have an answer", () => {
  const kinds = [...new Set([...stacks.region, ...stacks.capital].map(({ kind }) => kind))];
  const paths = stacks.region.flatMap((manifest, index) =>
    pathsOf(manifest, "")
      .filter((path) => !/^(metadata|kind|apiVersion)$|^metadata\.name$/.test(path))
      .map((path) => ({ index, path })),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...paths),
      fc.jsonValue(),
      fc.constantFrom(...kinds),
      ({ index, path }, value, kind) => {
        const changed = stacks.region.map((manifest, at) =>
          at === index ? withValue(manifest, path, value) : manifest,
        );
        const odd = {
          apiVersion: "v1",
          metadata: { name: "odd" },
          kind,
          spec: value as Json,
          data: value as Json,
        };
        for (const violation of checkPolicies([...changed, odd])) expect(violation.message).not.toBe("");
      },
    ),
    { numRuns: 150 },
  );
});

function pathsOf(value: unknown, path: string): readonly string[] {
  if (typeof value !== "object" || value === null) return path === "" ? [] : [path];
  const below = Object.entries(value).flatMap(([key, each]) => {
    const step = Array.isArray(value)
      ? `[${key}]`
      : /^[A-Za-z_][\w-]*$/.test(key)
        ? `${path === "" ? "" : "."}${key}`
        : `["${key}"]`;
    return pathsOf(each, `${path}${step}`);
  });
  return path === "" ? below : [path, ...below];
}
