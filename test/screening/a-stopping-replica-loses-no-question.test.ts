import { mkdirSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { status, type ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { call, channelCredentials, channelOptions, remoteErrorOf } from "#platform/grpc-client.ts";
import { ScreeningClient, ScreenRequest, type ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import { until, type Restartable } from "#test/replication/servers.ts";
import { ScreenedRegion } from "./screening-service.ts";

let region: ScreenedRegion;
let second: { process: Restartable; grpc: string };
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  region = await ScreenedRegion.start();
  await region.startScreening();
  second = await startSecond();
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await region.stop();
});

/** Another replica of the same region. */
async function startSecond() {
  const { nation } = region;
  const [grpc, http] = [await freeAddress(), await freeAddress()];
  const state = join(nation.folder, "state-1");
  mkdirSync(state);
  const process = await nation.service("screening", {
    GRPC_LISTEN: grpc,
    HTTP_LISTEN: http,
    STATE_DIRECTORY: state,
    REPLICA: "screening-1",
    CENTRE_URL: nation.ports.address("centre/grpc"),
    REGION_KEY_FILE: join(nation.folder, "region.key"),
  });
  process.start();
  await region.untilReady(http);
  return { process, grpc };
}

async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

async function clientOf(address: string): Promise<ScreeningClient> {
  const tls = await region.nation.tls(`switch.${region.nation.region}`);
  const client = new ScreeningClient(address, channelCredentials(tls), channelOptions);
  closers.push(() => client.close());
  return client;
}

function question(requestId: number): ScreenRequest {
  return ScreenRequest.fromPartial({
    requestId,
    callingNumber: "+442079460111",
    calledNumber: `+770100${String(requestId).padStart(5, "0")}`,
    trunk: "intl-1",
    callId: `call-${requestId}`,
  });
}

test("whatever was asked on a stream before SIGTERM is answered there; the rest, asked again, by another replica", async () => {
  const stream = region.stream();
  const askedAtMs = new Map<number, number>();
  const answered = new Set<number>();
  stream.on("data", ({ requestId }: ScreenResponse) => answered.add(requestId));
  const failed = new Promise<ServiceError>((resolve) => stream.on("error", resolve));
  let asked = 0;
  const ask = () => {
    // No more than the line carries: what waits in this process was not asked yet.
    if (asked - answered.size > 400) return;
    for (let each = 0; each < 40; each += 1) {
      asked += 1;
      askedAtMs.set(asked, Date.now());
      stream.write(question(asked));
    }
  };
  const timer = setInterval(ask, 10);
  await until(() => answered.size > 4_000);
  const stoppedAtMs = Date.now();
  const exit = region.screening.stop("SIGTERM");
  const error = await failed;
  clearInterval(timer);

  expect(error.code).toBe(status.UNAVAILABLE);
  expect(remoteErrorOf(error)).toMatchObject({ code: "unavailable", message: "this replica stops" });
  const left = [...askedAtMs].filter(([requestId]) => !answered.has(requestId));
  expect(left.filter(([, atMs]) => atMs < stoppedAtMs)).toEqual([]);
  const other = await clientOf(second.grpc);
  for (const [requestId] of left) {
    const answer = await call(other.screen.bind(other), question(requestId), { deadlineMs: 10_000 });
    expect(answer.requestId).toBe(requestId);
  }
  expect(await exit).toBe(0);
});

test("what a switch had asked is answered also where its line is late with the answers", async () => {
  const service = await serviceOf(region.nation.ports.address("screening/grpc"));
  const stream = (await clientOf(service.address)).screenStream();
  const answered = new Set<number>();
  stream.on("data", ({ requestId }: ScreenResponse) => answered.add(requestId));
  const failed = new Promise((resolve) => stream.on("error", resolve));
  stream.write(question(1));
  await until(() => answered.size === 1);
  service.hold();
  // All questions fit into the window of the line (65,535 bytes), their answers do not: the last ones are not read.
  const asked = 1_100;
  for (let requestId = 2; requestId <= asked; requestId += 1) stream.write(question(requestId));
  const seen: number[] = [];
  await until(async () => {
    seen.push((await region.state()).questions);
    return seen.length > 5 && new Set(seen.slice(-5)).size === 1;
  });
  expect(seen.at(-1)).toBeLessThan(asked);
  const exit = region.screening.stop("SIGTERM");
  await sleep(500);
  service.release();
  await failed;
  expect(answered.size).toBe(asked);
  expect(await exit).toBe(0);
});

test("calls one by one lose nothing when the replica behind their address is replaced by another", async () => {
  const service = await serviceOf(region.nation.ports.address("screening/grpc"));
  const client = await clientOf(service.address);
  const failures: ServiceError[] = [];
  let asked = 0;
  let answered = 0;
  const running = new Set<Promise<void>>();
  const ask = () => {
    for (let each = 0; each < 8; each += 1) {
      asked += 1;
      const asking = new Promise<void>((resolve) => {
        client.screen(question(asked), (error) => {
          if (error === null) answered += 1;
          else failures.push(error);
          resolve();
        });
      }).finally(() => running.delete(asking));
      running.add(asking);
    }
  };
  const timer = setInterval(ask, 10);
  await until(() => answered > 1_000);
  // As on a cluster: new connections go elsewhere first, then the replica is told to stop.
  service.leadsTo(second.grpc);
  await sleep(300);
  expect(await region.screening.stop("SIGTERM")).toBe(0);
  const before = answered;
  await until(() => answered > before + 500);
  clearInterval(timer);
  await Promise.all(running);
  expect(failures.map(({ code, details }) => `${code} ${details}`)).toEqual([]);
  expect(answered).toBe(asked);
});

/** What a Service of a cluster is: one address, behind which another replica stands for new connections. */
async function serviceOf(first: string): Promise<{
  address: string;
  leadsTo(address: string): void;
  /** Keeps back what comes from there. */
  hold(): void;
  release(): void;
}> {
  let target = first;
  const pairs: { near: Socket; far: Socket }[] = [];
  const server: Server = createServer((near) => {
    const [host = "", port = ""] = target.split(":");
    const far = connect(Number(port), host);
    near.pipe(far).pipe(near);
    pairs.push({ near, far });
    for (const socket of [near, far]) socket.on("error", () => undefined);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    leadsTo: (address) => (target = address),
    hold: () => pairs.forEach(({ near, far }) => far.unpipe(near).pause()),
    release: () => pairs.forEach(({ near, far }) => far.pipe(near)),
  };
}
