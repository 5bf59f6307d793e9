import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { isAtLeast, missingNodePackages, nodeObstacle, versionOf } from "#infra/toolchain/locate.mjs";
import { pinnedTool } from "#infra/toolchain/pins.mjs";
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

/** A program that says this version, whatever it is asked. */
function fakeTool(folder: string, name: string, version: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\necho "${name}: v${version}"\n`);
  chmodSync(file, 0o755);
  return file;
}

test("a nats-server on the path is taken when it is new enough, and only then", () => {
  using folder = temporaryFolder();
  symlinkSync("/bin/sh", join(folder.path, "sh"));
  const env = { PATH: folder.path, XDG_CACHE_HOME: folder.path };
  fakeTool(folder.path, "nats-server", "2.14.3");
  expect(spawnSync(process.execPath, [prepare], { env }).status).toBe(0);
  fakeTool(folder.path, "nats-server", "2.14.2");
  expect(spawnSync(process.execPath, [prepare], { env }).status).toBe(1);
});

test("without Go, a cluster's parts are asked for by name: from the path, from KUBEBUILDER_ASSETS, or by Go alone", () => {
  using folder = temporaryFolder();
  const env = { PATH: folder.path, XDG_CACHE_HOME: folder.path, KUBEBUILDER_ASSETS: folder.path };
  const complaint = () =>
    spawnSync(process.execPath, [prepare, "--cluster"], { encoding: "utf8", env }).stderr;
  fakeTool(folder.path, "nats-server", "2.15.1");
  expect(complaint()).toMatch(/etcd 3\.6\.0 or newer is needed: none is on the path.*etcd\/releases/s);
  fakeTool(folder.path, "etcd", "3.6.14");
  expect(complaint()).toMatch(/kube-apiserver 1\.36\.0 or newer .* in the folder KUBEBUILDER_ASSETS/);
  fakeTool(folder.path, "kube-apiserver", "1.36.4");
  expect(complaint()).toMatch(/kube-controller-manager 1\.36\.\d+ cannot be built, since no Go was found/);
});

test("where no node can run, the set-up says so in one line and goes on", () => {
  using folder = temporaryFolder();
  fakeTool(folder.path, "nats-server", "2.15.1");
  // No apt-get and no unshare are on this path.
  const env = { PATH: folder.path, XDG_CACHE_HOME: folder.path };
  const { status, stderr } = spawnSync(process.execPath, [prepare, "--node"], { encoding: "utf8", env });
  expect(status).toBe(0);
  expect(stderr).toMatch(/^prepare: .*node of Kubernetes.*: the tests that run real pods will be skipped\n$/);
});

test("etcd, kube-apiserver and kubectl of KUBEBUILDER_ASSETS come first, unless they are too old", () => {
  using folder = temporaryFolder();
  const [assets, path] = ["assets", "path"].map((name) => join(folder.path, name)) as [string, string];
  for (const created of [assets, path]) mkdirSync(created);
  const onPath = fakeTool(path, "kubectl", "1.36.0");
  const inAssets = fakeTool(assets, "kubectl", "1.35.0");
  vi.stubEnv("PATH", path).stubEnv("KUBEBUILDER_ASSETS", assets).stubEnv("XDG_CACHE_HOME", folder.path);
  try {
    expect(findTool("kubectl")).toBe(inAssets);
    fakeTool(assets, "kubectl", "1.34.9");
    expect(findTool("kubectl")).toBe(onPath);
    fakeTool(path, "kubectl", "1.32.4-dispatcher");
    expect(() => findTool("kubectl")).toThrow(/kubectl 1\.35\.0 or newer is missing: .*--cluster/);
    // The controllers that would work with it are of the pin: one on the path is of nobody knows which cluster.
    fakeTool(path, "kube-apiserver", "1.36.4");
    expect(() => findTool("kube-apiserver")).toThrow(ToolMissing);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("what was built says the version of its pin", () => {
  for (const name of ["kube-controller-manager", "kube-scheduler"] as const) {
    expect(versionOf(findTool(name), ["--version"])).toBe(pinnedTool(name).pin.version);
  }
});

const obstacle = nodeObstacle();
test.skipIf(obstacle !== undefined)(
  `what a node needs is there, the kubelet in the version of the API server${obstacle === undefined ? "" : ` (skipped: ${obstacle})`}`,
  () => {
    expect(missingNodePackages()).toEqual([]);
    expect(versionOf(findTool("kubelet"), ["--version"])).toBe(pinnedTool("kube-apiserver").pin.version);
    expect(versionOf(findTool("coredns"), ["-version"])).toBe(pinnedTool("coredns").pin.version);
    for (const name of ["containerd", "ctr", "nft", "ip", "busybox", "kube-proxy", "pause"] as const) {
      expect(findTool(name)).toMatch(/^\//);
    }
  },
);

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
