import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSigningKey } from "#infra/bundle/key.ts";
import { writeBundle } from "#infra/bundle/write-bundle.ts";
import { placeholderRelease as release, writeRelease } from "#infra/deployment/release.ts";
import { runCli } from "#test/cli/run-cli.ts";
import { temporaryFolder } from "#test/infra/small-nation.ts";

const source = Buffer.from("content");
const files = [{ kind: "file", path: "a/b", executable: false, bytes: source.length, source }] as const;

describe("`image` is used wrongly", () => {
  test.each([
    ["without saying which servers run", [], "nats"],
    ["with one server alone", ["--nats", `r.example/nats@sha256:${"0".repeat(64)}`], "postgres"],
    [
      "with servers that are both made and given",
      ["--with-servers", "--nats", "r.example/nats"],
      "with-servers",
    ],
  ])("%s", async (_how, words, field) => {
    const { code, stdout } = await runCli("image", "--json", ...words);
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({ code: "wrong-use", field });
  });
});

describe("`bundle`", () => {
  test("makes a key, and checks with it what was signed", async () => {
    using folder = temporaryFolder();
    const key = join(folder.path, "key.pem");
    const made = await runCli("bundle", "key", "--out", key, "--json");
    expect(made.code).toBe(0);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const { publicFile, fingerprint } = JSON.parse(made.stdout);

    const out = join(folder.path, "bundle.tar");
    const { sha256 } = await writeBundle({ files, release, key: readSigningKey(key), out });
    const good = await runCli("bundle", "verify", out, "--key", publicFile, "--json");
    expect(JSON.parse(good.stdout)).toMatchObject({ files: 1, sha256, signedBy: fingerprint, release });
    expect(good.code).toBe(0);
    const told = await runCli("bundle", "verify", out, "--key", publicFile);
    for (const word of ["signature", "content", "complete", "paths", fingerprint])
      expect(told.stdout).toContain(word);

    const bytes = readFileSync(out);
    bytes.write("C", bytes.indexOf("content"));
    writeFileSync(out, bytes);
    const bad = await runCli("bundle", "verify", out, "--key", publicFile);
    expect(bad.code).toBe(1);
    expect(bad.stdout).toBe("");
    expect(bad.stderr).toContain("a/b");
    expect(bad.stderr).toContain("do not unpack it");
  });

  test("is made by the group's own name, and says what is missing", async () => {
    using folder = temporaryFolder();
    const out = join(folder.path, "bundle.tar");
    const without = await runCli("bundle", "--out", out, "--json");
    expect(without.code).toBe(2);
    expect(JSON.parse(without.stdout).error).toMatchObject({ code: "wrong-use", field: "key" });

    const key = join(folder.path, "key.pem");
    await runCli("bundle", "key", "--out", key);
    writeRelease(join(folder.path, "release.json"), release);
    const words = ["--out", out, "--key", key, "--deployment", folder.path, "--plugins", folder.path];
    const lacking = await runCli("bundle", ...words, "--json");
    expect(lacking.code).toBe(1);
    expect(JSON.parse(lacking.stdout).error).toMatchObject({ code: "plugin-missing" });
  });

  test("checks nothing without a key, and no file that is not there", async () => {
    using folder = temporaryFolder();
    const keyless = await runCli("bundle", "verify", "none.tar", "--json");
    expect(JSON.parse(keyless.stdout).error).toMatchObject({ code: "wrong-use", field: "key" });
    const key = join(folder.path, "key.pem");
    await runCli("bundle", "key", "--out", key);
    const absent = await runCli(
      "bundle",
      "verify",
      join(folder.path, "none.tar"),
      "--key",
      `${key}.pub`,
      "--json",
    );
    expect(JSON.parse(absent.stdout).error).toMatchObject({ code: "no-such-file", field: "file" });
  });
});
