import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadRegions, regionsFolder } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import type { Site } from "#infra/kubernetes/site.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, regionSite } from "#infra/kubernetes/sites.ts";
import { compareStacks } from "#infra/parity/parity.ts";

interface Rendered {
  readonly site: Site;
  readonly manifests: readonly Manifest[];
}

async function rendered(regions?: string): Promise<Rendered[]> {
  const nation = placeholderNation(Deployment.of({ regions }, {}));
  const sites = await Promise.all(nation.regions.map(({ slug }) => regionSite(nation, slug)));
  return sites.map((site) => ({ site, manifests: siteManifests(site) }));
}

let stacks: Rendered[] = [];
beforeAll(async () => {
  stacks = await rendered();
});

test("the twenty regions have one hash", () => {
  const parity = compareStacks(stacks);
  expect(parity.map(({ region }) => region)).toEqual(loadRegions().map(({ slug }) => slug));
  expect(new Set(parity.map(({ hash }) => hash)).size).toBe(1);
  expect(parity.every(({ unlike }) => unlike === undefined)).toBe(true);
});

test("what a region's file and its cluster may set leaves the hash as it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "qalqan-regions-"));
  for (const { slug } of loadRegions()) {
    const text = readFileSync(join(regionsFolder, `${slug}.yaml`), "utf8");
    writeFileSync(join(folder, `${slug}.yaml`), slug === "aktobe" ? withEverythingOfItsOwn(text) : text);
  }
  const parity = compareStacks(await rendered(folder));
  expect(parity.filter(({ unlike }) => unlike !== undefined)).toEqual([]);
});

function withEverythingOfItsOwn(text: string): string {
  return `${text.replace(/sizeClass: .*/, "sizeClass: small")}  storageClass: fast
  serviceType: NodePort
  ingress: { className: traefik, host: centre.aktobe.example, issuer: own, namespace: traefik }
  networks:
    switches: [192.0.2.0/24]
    people: [198.51.100.0/24, 203.0.113.0/24]
    capital: [192.0.2.0/28]
  dns: { namespace: dns, labels: { app: dns }, port: 5353 }
`;
}

/** One region's manifests with something changed by hand. */
function changed(slug: string, change: (manifests: Manifest[]) => Manifest[]): Rendered[] {
  return stacks.map((stack) =>
    stack.site.stack.site === slug
      ? { ...stack, manifests: change(structuredClone([...stack.manifests])) }
      : stack,
  );
}

type Tree = Record<string, unknown>;

/** Sets one field of one object; the path has the fields and positions on the way to it. */
const setting =
  (kind: string, name: string, path: readonly (string | number)[], value: unknown) =>
  (manifests: Manifest[]): Manifest[] => {
    const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
    let node = found as unknown as Tree;
    for (const key of path.slice(0, -1)) node = node[key] as Tree;
    node[path.at(-1) ?? ""] = value;
    return manifests;
  };

const pod = ["spec", "template", "spec"];

describe("a region that is not as the others is named, with the field", () => {
  test.each([
    [
      "an image of its own",
      setting("Deployment", "centre", [...pod, "containers", 0, "image"], "other@sha256:1"),
      "spec.template.spec.containers[centre].image",
    ],
    [
      "a variable of its own",
      setting("StatefulSet", "screening", [...pod, "containers", 0, "env", 3, "value"], "debug"),
      "spec.template.spec.containers[screening].env[LOG_LEVEL].value",
    ],
    [
      "a service account token",
      setting("Deployment", "replication", [...pod, "automountServiceAccountToken"], true),
      "spec.template.spec.automountServiceAccountToken",
    ],
    [
      "an open port",
      setting("NetworkPolicy", "centre", ["spec", "ingress", 0, "ports", 0, "port"], 1),
      "spec.ingress[0].ports[0].port",
    ],
    [
      "a policy that lets everybody in",
      setting("NetworkPolicy", "nats", ["spec", "ingress", 0, "from"], [{ podSelector: {} }]),
      "spec.ingress[0].from",
    ],
    [
      "fewer replicas at most",
      setting("HorizontalPodAutoscaler", "screening", ["spec", "maxReplicas"], 3),
      "spec.maxReplicas",
    ],
    [
      "no pod security",
      setting(
        "Namespace",
        "qalqan-abai",
        ["metadata", "labels", "pod-security.kubernetes.io/enforce"],
        "privileged",
      ),
      "metadata.labels.pod-security.kubernetes.io/enforce",
    ],
  ])("%s", (_, change, field) => {
    const parity = compareStacks(changed("abai", change));
    const unlike = parity.filter((each) => each.unlike !== undefined);
    expect(unlike).toMatchObject([{ region: "abai", unlike: { field: expect.stringContaining(field) } }]);
    expect(new Set(parity.map(({ hash }) => hash)).size).toBe(2);
  });

  test("an object that only it has, or lacks", () => {
    const without = changed("abai", (manifests) =>
      manifests.filter(({ kind }) => kind !== "PodDisruptionBudget"),
    );
    expect(compareStacks(without).find(({ region }) => region === "abai")?.unlike).toMatchObject({
      object: expect.stringContaining("PodDisruptionBudget"),
      value: "nothing",
    });
    const extra = changed("abai", (manifests) => [
      ...manifests,
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "own", namespace: "qalqan-abai" }, data: {} },
    ]);
    expect(compareStacks(extra).find(({ region }) => region === "abai")?.unlike).toMatchObject({
      object: expect.stringContaining("own"),
      expected: "nothing",
    });
  });

  test("another line in the configuration of its NATS server", () => {
    const parity = compareStacks(
      changed("abai", (manifests) =>
        manifests.map((manifest) =>
          manifest.kind === "ConfigMap" && manifest.metadata.name.startsWith("nats-")
            ? {
                ...manifest,
                data: { ...(manifest["data"] as Record<string, string>), "nats.conf": "debug: true\n" },
              }
            : manifest,
        ),
      ),
    );
    expect(parity.filter(({ unlike }) => unlike !== undefined)).toMatchObject([
      { region: "abai", unlike: { field: "data.nats.conf" } },
    ]);
  });
});
