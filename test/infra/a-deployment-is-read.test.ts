import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { regionsFolder } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { temporaryFolder } from "./small-nation.ts";

const digest = (digit: string) => `registry.example/image@sha256:${digit.repeat(64)}`;
const problem = (code: string, field: string) =>
  expect.objectContaining({ name: "Problem", code, field, remedy: expect.stringMatching(/./) });

describe("where a deployment is", () => {
  test("says the option, else the environment, else it is the folder `deployment`", () => {
    const environment = { QALQAN_DEPLOYMENT: "/srv/nation", QALQAN_REGIONS: "/srv/regions" };
    const places = ({ folder, regionsFolder: regions }: Deployment) => [folder, regions];
    expect(places(Deployment.of({ deployment: "own", regions: "/own" }, environment))).toEqual([
      resolve("own"),
      "/own",
    ]);
    expect(places(Deployment.of({}, environment))).toEqual(["/srv/nation", "/srv/regions"]);
    // A variable that a shell has left empty says nothing.
    expect(places(Deployment.of({}, { QALQAN_DEPLOYMENT: "", QALQAN_REGIONS: "" }))).toEqual([
      resolve("deployment"),
      regionsFolder,
    ]);
  });

  test("need not be known for what git has: the regions and the capital", () => {
    const deployment = Deployment.of({ deployment: "/no/such/folder" }, {});
    expect(deployment.regions()).toHaveLength(20);
    expect(deployment.capital()).toMatchObject({
      sizeClass: "large",
      leafHost: "hub.qalqan.example",
      leafPort: 7422,
      cluster: { context: "qalqan-capital", ingress: { host: "capital.qalqan.example" } },
    });
  });

  test("is a folder of regions that there is", () => {
    expect(() => Deployment.of({ regions: "/no/such/folder" }, {}).regions()).toThrow(
      problem("regions-missing", "regions-folder"),
    );
  });
});

describe("the capital", () => {
  const own = "sizeClass: small\nleafHost: hub.own.example\nleafPort: 443\ncluster:\n  context: own\n";

  test("is what the deployment's own file says", () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "capital.yaml"), own);
    const deployment = Deployment.of({ deployment: folder.path }, {});
    expect(deployment.capital()).toMatchObject({ leafHost: "hub.own.example", cluster: { context: "own" } });
    const { stack, hosts } = deployment.keyOrder("capital");
    expect(stack.site).toBe("capital");
    expect(hosts).toEqual({ nats: ["hub.own.example"], coordination: ["capital.qalqan.example"] });
  });

  test.each([
    ["an unknown key", "sizeClass", "sizeclass", "sizeClass"],
    ["a key too many", "leafPort: 443", "leafPort: 443\nextra: 1", "extra"],
    ["a port that is none", "443", "70000", "leafPort"],
    ["a host with a port", "hub.own.example", "hub.own.example:443", "leafHost"],
    [
      "a network that is none",
      "context: own",
      "context: own\n  networks: { regions: [all] }",
      "cluster.networks.regions.0",
    ],
    ["no YAML", "cluster:", "cluster: {", ""],
  ])("with %s is refused", (_, from, to, field) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "capital.yaml"), own.replace(from, to));
    expect(() => Deployment.of({ deployment: folder.path }, {}).capital()).toThrow(
      problem("capital-invalid", field),
    );
  });
});

describe("the identity's public keys", () => {
  const key = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "1" };

  test("are given as they are", () => {
    using folder = temporaryFolder();
    const text = JSON.stringify({ keys: [key] }, undefined, 2);
    writeFileSync(join(folder.path, "identity-keys.json"), text);
    expect(Deployment.of({ deployment: folder.path }, {}).identityKeys()).toBe(text);
  });

  test.each([
    ["are not there", undefined, "identity-keys-missing"],
    ["are no JSON", "{", "identity-keys-invalid"],
    ["are no set of keys", JSON.stringify(key), "identity-keys-invalid"],
    ["are none", '{"keys":[]}', "identity-keys-invalid"],
    ["are private ones", JSON.stringify({ keys: [{ ...key, d: "nWGx" }] }), "identity-keys-private"],
    ["are a shared secret", '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', "identity-keys-private"],
  ])("that %s are refused", (_, text, code) => {
    using folder = temporaryFolder();
    if (text !== undefined) writeFileSync(join(folder.path, "identity-keys.json"), text);
    expect(() => Deployment.of({ deployment: folder.path }, {}).identityKeys()).toThrow(
      problem(code, "identity-keys"),
    );
  });
});

test("the release is the one of the folder", () => {
  using folder = temporaryFolder();
  const deployment = Deployment.of({ deployment: folder.path }, {});
  expect(() => deployment.release()).toThrow(problem("release-missing", "release"));
  const release = {
    version: "1.2.3",
    images: { qalqan: digest("a"), nats: digest("b"), postgres: digest("c") },
  };
  writeFileSync(join(folder.path, "release.json"), JSON.stringify(release));
  expect(deployment.release()).toEqual(release);
});

describe("the keys that a site needs", () => {
  test("are those of its own stack, good for the name under which people reach it", () => {
    const { stack, hosts } = Deployment.of({}, {}).keyOrder("astana");
    expect(stack.site).toBe("astana");
    expect(hosts).toEqual({ centre: ["astana.qalqan.example"], screening: ["astana.qalqan.example"] });
  });

  test("are not known of a site that there is not, nor among regions that are not sound", () => {
    expect(() => Deployment.of({}, {}).keyOrder("nowhere")).toThrow(problem("unknown-site", "site"));
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "regions"));
    for (const name of readdirSync(regionsFolder))
      copyFileSync(join(regionsFolder, name), join(folder.path, "regions", name));
    writeFileSync(join(folder.path, "regions", "abai.yaml"), "slug: abai\n");
    const deployment = Deployment.of({ regions: join(folder.path, "regions") }, {});
    expect(() => deployment.keyOrder("astana")).toThrow(expect.objectContaining({ file: "abai.yaml" }));
  });
});
