import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { isAtLeast } from "#infra/toolchain/locate.mjs";
import { findTool, ToolMissing } from "#infra/toolchain/tools.ts";
import { temporaryFolder } from "./small-nation.ts";

const checkout = join(import.meta.dirname, "..", "..");
const prepare = join(checkout, "infra", "toolchain", "prepare.mjs");

test("the command's exit code is the set-up's own, and the project's Node runs it", () => {
  const script = "process.exit(Number(process.versions.node.split('.')[0]) + 10)";
  const { status } = spawnSync(process.execPath, [prepare, "--", "node", "-e", script], { encoding: "utf8" });
  expect(status).toBe(34);
});

test("a signal reaches the command, which ends in its own way", async () => {
  const script =
    "process.on('SIGTERM', () => process.exit(5)); console.log('up'); setInterval(() => {}, 1000)";
  const child = spawn(process.execPath, [prepare, "--", "node", "-e", script], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([5, null]);
});

test("an unknown option is wrong use", () => {
  const { status, stderr } = spawnSync(process.execPath, [prepare, "--brwser"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toContain("--brwser");
});

test("without nats-server and Go, the message names tool, version and what to do", () => {
  using folder = temporaryFolder();
  const { status, stderr } = spawnSync(process.execPath, [prepare], {
    encoding: "utf8",
    env: { PATH: folder.path, XDG_CACHE_HOME: folder.path },
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/nats-server 2\.14\.3 or newer is needed.*no Go was found/s);
  expect(stderr).toContain("https://go.dev/dl/");
});

test("a nats-server on the path is taken when it is new enough, and only then", () => {
  using folder = temporaryFolder();
  const fake = (version: string) => {
    const file = join(folder.path, "nats-server");
    writeFileSync(file, `#!/bin/sh\necho "nats-server: v${version}"\n`);
    chmodSync(file, 0o755);
  };
  symlinkSync("/bin/sh", join(folder.path, "sh"));
  const env = { PATH: folder.path, XDG_CACHE_HOME: folder.path };
  fake("2.14.3");
  expect(spawnSync(process.execPath, [prepare], { env }).status).toBe(0);
  fake("2.14.2");
  expect(spawnSync(process.execPath, [prepare], { env }).status).toBe(1);
});

test("versions are compared as numbers", () => {
  expect(isAtLeast("2.14.10", "2.14.3")).toBe(true);
  expect(isAtLeast("2.9.99", "2.14.3")).toBe(false);
  expect(isAtLeast("3", "2.14.3")).toBe(true);
});

test("PostgreSQL and Node come with the packages", () => {
  expect(findTool("postgres")).toContain("node_modules");
  expect(findTool("node")).toBe(process.execPath);
});

test("what is missing is an error with the command that gets it", () => {
  using folder = temporaryFolder();
  vi.stubEnv("PATH", folder.path).stubEnv("XDG_CACHE_HOME", folder.path);
  try {
    expect(() => findTool("nats-server")).toThrow(ToolMissing);
    expect(() => findTool("nats-server")).toThrow(/nats-server 2\.14\.3 or newer is missing: .*prepare\.mjs/);
    expect(() => findTool("chromium")).toThrow(/apt-get install -y chromium/);
  } finally {
    vi.unstubAllEnvs();
  }
});
