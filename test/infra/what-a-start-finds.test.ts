import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from "jose";
import { expect, test, vi } from "vitest";
import { mintToken } from "#infra/local/identity.ts";
import { isRunning, nameProcess } from "#infra/local/own-process.ts";
import { operator } from "#infra/local/people.ts";
import { startServers, temporaryFolder } from "./small-nation.ts";

const nationModule = join(import.meta.dirname, "..", "..", "infra", "local", "nation.ts");

test("after kill -9 of the runner nothing of it stays, and the next start goes on", async () => {
  using folder = temporaryFolder();
  const program = `
    import { startNation } from ${JSON.stringify(nationModule)};
    const nation = await startNation({ dataFolder: ${JSON.stringify(folder.path)}, regions: ["astana"], only: ["nats"] });
    await nation.ready;
    console.log(JSON.stringify((await nation.status()).services.map(({ pid }) => pid)));
  `;
  const runner = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(runner.stdout, "data")) as [Buffer];
  const children = (JSON.parse(line.toString()) as number[]).map((pid) => nameProcess(pid));
  expect(children.every((child) => child !== undefined)).toBe(true);
  runner.kill("SIGKILL");
  await once(runner, "exit");
  await using nation = await startServers(folder.path, ["astana"]);
  expect(children.some((child) => child !== undefined && isRunning(child))).toBe(false);
  expect((await nation.status()).services).toHaveLength(2);
});

test("what an earlier run has left is stopped; a stranger with the same process id is not", async () => {
  using folder = temporaryFolder();
  const leftover = spawn("sleep", ["60"]);
  const stranger = spawn("sleep", ["60"]);
  const pids = join(folder.path, "pids");
  mkdirSync(pids, { recursive: true });
  const keep = (name: string, content: object) => writeFileSync(join(pids, name), JSON.stringify(content));
  keep("astana-nats.json", { ...nameProcess(leftover.pid ?? 0), stopSignal: "SIGTERM" });
  keep("astana-centre.json", { pid: stranger.pid, started: "another boot/1", stopSignal: "SIGTERM" });
  const ended = once(leftover, "exit");
  await using nation = await startServers(folder.path, []);
  expect(await ended).toEqual([null, "SIGTERM"]);
  expect(stranger.exitCode).toBeNull();
  expect(nation.run.regions).toEqual([]);
  stranger.kill();
});

test("a port that is taken is named with its service and with who has it", async () => {
  using folder = temporaryFolder();
  const first = await startServers(folder.path, []);
  const port = Number((first.run.sites["capital"]?.nats?.["client"] ?? "").split(":")[1]);
  await first.stop();
  const taker = createServer().listen(port, "127.0.0.1");
  await once(taker, "listening");
  await expect(startServers(folder.path, [])).rejects.toMatchObject({
    code: "port-taken",
    field: "capital/nats/client",
    value: String(port),
    message: expect.stringContaining(`process ${process.pid}`),
  });
  taker.close();
  await once(taker, "close");
  await using again = await startServers(folder.path, []);
  expect(again.run.sites["capital"]?.nats?.["client"]).toBe(`127.0.0.1:${port}`);
});

test("ports are chosen where it was said, and what is no such place is named", async () => {
  using folder = temporaryFolder();
  const ownMin = Number(process.env["QALQAN_PORTS"]?.split("-")[0]);
  const [min, max] = [ownMin + 500, ownMin + 999];
  try {
    vi.stubEnv("QALQAN_PORTS", "20000");
    const named = { code: "invalid-ports", field: "QALQAN_PORTS", value: "20000" };
    await expect(startServers(folder.path, [])).rejects.toMatchObject(named);
    vi.stubEnv("QALQAN_PORTS", `${min}-${max}`);
    await using nation = await startServers(folder.path, []);
    const port = Number((nation.run.sites["capital"]?.nats?.["client"] ?? "").split(":")[1]);
    expect(port).toBeGreaterThanOrEqual(min);
    expect(port).toBeLessThanOrEqual(max);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("a lock whose holder is gone is taken over", async () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "lock"), JSON.stringify({ pid: process.pid, started: "another boot/1" }));
  await using nation = await startServers(folder.path, []);
  await nation.stop();
  expect(existsSync(join(folder.path, "lock"))).toBe(false);
});

test("an unknown region is refused before anything is made", async () => {
  using folder = temporaryFolder();
  await expect(startServers(folder.path, ["atlantis"])).rejects.toMatchObject({
    code: "unknown-region",
    value: "atlantis",
  });
  expect(readdirSync(folder.path)).toEqual([]);
});

test("a process that cannot start ends the wait with its own words and the log that has more", async () => {
  using folder = temporaryFolder();
  const first = await startServers(folder.path, []);
  await first.stop();
  // A file where the server wants its folder.
  const store = join(folder.path, "capital", "nats-jetstream", "jetstream");
  rmSync(store, { recursive: true });
  writeFileSync(store, "");
  await expect(startServers(folder.path, [])).rejects.toMatchObject({
    code: "service-failed",
    value: "capital/nats",
    message: expect.stringContaining("storage directory is not a directory"),
    remedy: expect.stringContaining("capital-nats.log"),
  });
});

test("a token of the local identity is verified by its public keys", async () => {
  using folder = temporaryFolder();
  await using nation = await startServers(folder.path, []);
  const token = await mintToken(nation.run.identity.privateKey, operator("astana", 7), 60);
  const keys = JSON.parse(readFileSync(nation.run.identity.keys, "utf8")) as JSONWebKeySet;
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
    audience: "qalqan",
    algorithms: ["EdDSA"],
  });
  expect(payload).toMatchObject({ sub: "operator-7.astana", role: "operator", region: "astana" });
  expect(keys.keys.some((key) => "d" in key)).toBe(false);
});

test("secrets are readable by their owner alone", async () => {
  using folder = temporaryFolder();
  await using nation = await startServers(folder.path, ["astana"]);
  const secrets = join(nation.run.dataFolder, "astana", "secrets");
  const files = [...readdirSync(secrets).map((name) => join(secrets, name)), nation.run.identity.privateKey];
  expect(files.filter((file) => (statSync(file).mode & 0o077) !== 0)).toEqual([]);
});
