import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { Deployment } from "#infra/deployment/deployment.ts";
import { titleOf, type Manifest } from "#infra/kubernetes/manifest.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";
import { stackHash } from "#infra/parity/stack-hash.ts";
import { Authority } from "#infra/local/authority.ts";
import { checkPolicies, violationText } from "#infra/policy/policies.ts";
import { openStore } from "#platform/archive/object-store.ts";
import { temporaryFolder } from "./small-nation.ts";

const capital = "sizeClass: small\nleafHost: hub.own.example\nleafPort: 443\ncluster:\n  context: own\n";
const archive =
  "archive:\n  endpoint: https://s3.own.example:9000\n  bucket: evidence\n  prefix: nation/one\n  networks: [10.7.0.0/16]\n";

const problem = (code: string, field: string) =>
  expect.objectContaining({ name: "Problem", code, field, remedy: expect.stringMatching(/./) });

/** The nation of a deployment with this file, and placeholders for its secrets. */
async function site(text: string, name: string) {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "capital.yaml"), text);
  return siteOf(placeholderNation(Deployment.of({ deployment: folder.path }, {})), name);
}

/** Without what its content gives it. */
const titles = (manifests: readonly Manifest[]) =>
  manifests.map((manifest) => titleOf(manifest).replace(/-[0-9a-f]{10}$/, ""));

const objectOf = (manifests: readonly Manifest[], kind: string) =>
  manifests.find((each) => each.kind === kind && each.metadata.name.startsWith("coordination"));

describe("an archive that the capital's file names", () => {
  test("changes what the pods of coordination are told, read and reach, and no list of objects", async () => {
    const [without, withOne] = await Promise.all(
      [capital, capital + archive].map(async (text) => siteManifests(await site(text, "capital"))),
    );
    if (without === undefined || withOne === undefined) throw new Error("no manifests");
    expect(titles(withOne)).toEqual(titles(without));
    const plain = new Set(without.map((manifest) => JSON.stringify(manifest)));
    const changed = withOne.filter((manifest) => !plain.has(JSON.stringify(manifest)));
    expect(
      changed.map(({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, "")}`),
    ).toEqual(["NetworkPolicy coordination", "Secret coordination", "Deployment coordination"]);
    const egress = (manifests: readonly Manifest[]) =>
      (objectOf(manifests, "NetworkPolicy") as unknown as { spec: { egress: unknown[] } }).spec.egress;
    expect(egress(withOne)).toEqual([
      ...egress(without),
      { to: [{ ipBlock: { cidr: "10.7.0.0/16" } }], ports: [{ protocol: "TCP", port: 9000 }] },
    ]);
    expect(checkPolicies(withOne).map(violationText)).toEqual([]);
  });

  test("is opened by coordination under the address and with the file that its pods have", async () => {
    const manifests = siteManifests(await site(capital + archive, "capital"));
    const deployment = JSON.stringify(objectOf(manifests, "Deployment"));
    const value = (name: string) =>
      new RegExp(`"name":"${name}","value":"([^"]*)"`).exec(deployment)?.[1] ?? "";
    expect(value("ARCHIVE_URL")).toBe(
      "s3://evidence/nation/one?endpoint=https%3A%2F%2Fs3.own.example%3A9000&region=us-east-1",
    );
    const secret = objectOf(manifests, "Secret") as unknown as { data: Record<string, string> };
    const file = value("ARCHIVE_CREDENTIALS_FILE").split("/").at(-1) ?? "";
    using folder = temporaryFolder();
    const path = join(folder.path, file);
    writeFileSync(path, Buffer.from(secret.data[file] ?? "", "base64"));
    // Whether anything answers there is not asked yet.
    openStore(value("ARCHIVE_URL"), path);
  });

  test("is reached by who has the authority of the deployment, and by nobody else", async () => {
    using folder = temporaryFolder();
    const authority = new Authority(join(folder.path, "authority"));
    await authority.prepare();
    const deployed = join(folder.path, "deployment");
    mkdirSync(deployed);
    writeFileSync(join(deployed, "capital.yaml"), capital + archive);
    copyFileSync(authority.caFile, join(deployed, "archive-authority.pem"));
    const deployment = Deployment.of({ deployment: deployed }, {});
    const nation = {
      ...placeholderNation(deployment),
      archiveAuthority: () => deployment.archiveAuthority(),
    };
    const manifests = siteManifests(await siteOf(nation, "capital"));
    const path = /"name":"NODE_EXTRA_CA_CERTS","value":"([^"]*)"/.exec(
      JSON.stringify(objectOf(manifests, "Deployment")),
    )?.[1];
    const secret = objectOf(manifests, "Secret") as unknown as { data: Record<string, string> };
    const trusted = join(folder.path, "trusted.pem");
    writeFileSync(trusted, Buffer.from(secret.data[path?.split("/").at(-1) ?? ""] ?? "", "base64"));

    const files = await authority.ensure(join(folder.path, "storage"), "storage", "workload");
    const storage = createServer(
      { cert: readFileSync(files.certificate), key: readFileSync(files.key) },
      (_, answer) => answer.end("<ListBucketResult><Key>one</Key></ListBucketResult>"),
    );
    await new Promise<void>((resolve) => storage.listen(0, "127.0.0.1", resolve));
    const { port } = storage.address() as AddressInfo;
    writeFileSync(join(folder.path, "credentials"), "id\nsecret\n");
    const names = (environment: Record<string, string>) =>
      namesIn(
        `s3://evidence/?endpoint=https://127.0.0.1:${port}`,
        join(folder.path, "credentials"),
        environment,
      );
    expect(await names({ NODE_EXTRA_CA_CERTS: trusted })).toEqual({ names: ["one"] });
    expect(await names({ NODE_EXTRA_CA_CERTS: "" })).toEqual({
      error: expect.stringContaining("unable to verify the first certificate") as string,
    });
    storage.close();
  });

  test("is nobody's in a region: its stack is the same with and without", async () => {
    const [without, withOne] = await Promise.all(
      [capital, capital + archive].map((text) => site(text, "astana")),
    );
    if (without === undefined || withOne === undefined) throw new Error("no sites");
    expect(stackHash(siteManifests(withOne), withOne)).toBe(stackHash(siteManifests(without), without));
  });

  test.each([
    ["an endpoint without TLS", "https://", "http://", "archive.endpoint"],
    ["an endpoint with a path", ":9000", ":9000/evidence", "archive.endpoint"],
    ["a name that no bucket has", "bucket: evidence", "bucket: Evidence_1", "archive.bucket"],
    ["a prefix that begins with /", "nation/one", "/nation", "archive.prefix"],
    ["a network that is none", "10.7.0.0/16", "s3.own.example", "archive.networks.0"],
  ])("with %s is refused", async (_, from, to, field) => {
    await expect(site(capital + archive.replace(from, to), "capital")).rejects.toThrow(
      problem("capital-invalid", field),
    );
  });
});

describe("the authority of the archive's endpoint", () => {
  test("that is no certificate of an authority is refused", () => {
    using folder = temporaryFolder();
    const authority = () => Deployment.of({ deployment: folder.path }, {}).archiveAuthority();
    expect(authority()).toBeUndefined();
    for (const text of ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]) {
      writeFileSync(join(folder.path, "archive-authority.pem"), text);
      expect(authority).toThrow(problem("archive-authority-invalid", "archive-authority"));
    }
  });
});

/** What a process of its own, with this environment, finds in a bucket. */
async function namesIn(
  url: string,
  credentials: string,
  environment: Record<string, string>,
): Promise<unknown> {
  const module = join(import.meta.dirname, "..", "..", "services", "platform", "archive", "object-store.ts");
  const script = `
    const { openStore } = await import(${JSON.stringify(pathToFileURL(module).href)});
    const answer = await openStore(${JSON.stringify(url)}, ${JSON.stringify(credentials)}).list("").then(
      (names) => ({ names }), (error) => ({ error: String(error) }));
    process.stdout.write(JSON.stringify(answer));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    cwd: join(import.meta.dirname, "..", ".."),
  });
  return JSON.parse(stdout);
}

describe("the access key of the archive", () => {
  test.each([
    ["is not there", undefined, 0o600, "archive-credentials-missing"],
    ["has one line", "id\n", 0o600, "archive-credentials-invalid"],
    ["others may read", "id\nsecret\n", 0o644, "archive-credentials-open"],
  ])("that %s is refused", (_, text, mode, code) => {
    using folder = temporaryFolder();
    const file = join(folder.path, "archive-credentials");
    if (text !== undefined) writeFileSync(file, text);
    if (text !== undefined) chmodSync(file, mode);
    expect(() => Deployment.of({ deployment: folder.path }, {}).archiveCredentials()).toThrow(
      problem(code, "archive-credentials"),
    );
  });

  test("is two lines", () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "archive-credentials"), "id\nsecret", { mode: 0o600 });
    expect(Deployment.of({ deployment: folder.path }, {}).archiveCredentials()).toBe("id\nsecret\n");
  });
});
