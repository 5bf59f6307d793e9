import { createServer, connect as connectTcp, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { follow, StreamGap, type StoredMessage } from "#platform/follow.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { firstEpoch, regionStream, regionSubject } from "#proto/names.ts";
import { appendPatiently, HubAndRegion, lastOf, testLog, until } from "./servers.ts";

const stream = regionStream.national(firstEpoch);
const subject = regionSubject.national(firstEpoch);

let servers: HubAndRegion;
let writer: NatsConnection;

beforeAll(async () => {
  servers = await HubAndRegion.start();
  writer = await servers.connect("replication");
  await until(async () => {
    const manager = await writer.jetstreamManager({ checkAPI: false });
    for (const each of regionStreams(firstEpoch, firstEpoch)) await ensureStream(manager, each);
    return true;
  });
});

afterAll(async () => servers.stop());

/** Stores `count` more messages; the sequence of the last. */
async function store(count: number, bytes = 10): Promise<number> {
  let last = await lastOf(writer, stream);
  for (let index = 0; index < count; index += 1) {
    last += 1;
    await appendPatiently(writer, subject, last, new Uint8Array(bytes));
  }
  return last;
}

/** Reads into an array until stopped. */
function read(connection: NatsConnection, after: number) {
  const abort = new AbortController();
  const messages: StoredMessage[] = [];
  const ended = (async () => {
    for await (const message of follow(connection, stream, after, abort.signal)) messages.push(message);
  })();
  return {
    messages,
    last: () => messages.at(-1)?.sequence ?? after,
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}

/** A relay before the region's server that can swallow what the server sends. */
class Relay {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  swallows = false;

  async open(to: number): Promise<number> {
    const server = createServer((near) => {
      const far = connectTcp(to, "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          near.destroy();
          far.destroy();
        });
      }
      near.on("data", (data) => far.write(data));
      far.on("data", (data) => {
        if (!this.swallows) near.write(data);
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  close(): void {
    this.#server?.close();
    this.cut();
  }
}

async function connectThrough(port: number): Promise<NatsConnection> {
  const seed = readFileSync(join(servers.folder, "centre.seed"), "utf8");
  const config = { NATS_URL: `tls://127.0.0.1:${port}`, NATS_SEED_FILE: seed };
  return connectNats(config, await servers.tls("test.relay"), "test-relay", testLog);
}

test("everything comes once and in order, with the time at which it was stored", async () => {
  const before = await lastOf(writer, stream);
  const beganMs = Date.now();
  const last = await store(1_200);
  const reader = read(await servers.connect("centre"), before);
  await until(() => reader.last() === last);
  expect(reader.messages.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 1_200 }, (_, index) => before + index + 1),
  );
  expect(reader.messages[0]?.storedAtMs).toBeGreaterThanOrEqual(beganMs - 1_000);
  expect(reader.messages[0]?.storedAtMs).toBeLessThanOrEqual(Date.now() + 1_000);
  await store(1);
  await until(() => reader.last() === last + 1, 10_000);
  await reader.stop();
});

test("what is not read stays at the server", async () => {
  const before = await lastOf(writer, stream);
  const last = await store(200, 100_000);
  const connection = await servers.connect("centre");
  const abort = new AbortController();
  const messages = follow(connection, stream, before, abort.signal);
  await messages.next();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(connection.stats().inBytes).toBeLessThan(5 * 1024 * 1024);
  let sequence = before + 1;
  for await (const message of messages) {
    sequence = message.sequence;
    if (sequence === last) break;
  }
  expect(sequence).toBe(last);
  abort.abort();
});

test("what was on its way when the connection broke comes soon, though nothing follows it", async () => {
  const relay = new Relay();
  const connection = await connectThrough(await relay.open(servers.ports.port("region/client")));
  const before = await store(1);
  const reader = read(connection, before - 1);
  await until(() => reader.last() === before);
  relay.swallows = true;
  const last = await store(3);
  await new Promise((resolve) => setTimeout(resolve, 300));
  relay.cut();
  relay.swallows = false;
  await until(() => reader.last() === last, 10_000);
  expect(reader.messages.map(({ sequence }) => sequence)).toEqual([before, last - 2, last - 1, last]);
  await reader.stop();
  await connection.close();
  relay.close();
});

test("a connection that broke comes back although the clock was set back by an hour", async () => {
  const relay = new Relay();
  const connection = await connectThrough(await relay.open(servers.ports.port("region/client")));
  const rightNow = Date.now.bind(Date);
  const clock = vi.spyOn(Date, "now").mockImplementation(() => rightNow() - 3_600_000);
  try {
    relay.cut();
    await until(async () => {
      const answered = connection.rtt().then(() => true);
      return Promise.race([answered, new Promise<boolean>((resolve) => setTimeout(resolve, 200, false))]);
    }, 10_000);
  } finally {
    clock.mockRestore();
    await connection.close();
    relay.close();
  }
});

test("a server that was too busy to answer is soon asked again", async () => {
  const connection = await servers.connect("centre");
  const before = await lastOf(writer, stream);
  const last = await store(1);
  const pid = servers.regional.pid;
  process.kill(pid, "SIGSTOP");
  const reader = read(connection, before);
  try {
    await new Promise((resolve) => setTimeout(resolve, 2_500));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  // Sooner than the client gives up a question by itself.
  await until(() => reader.last() === last, 4_000);
  await reader.stop();
});

test("after kill -9 of the server reading soon goes on", async () => {
  const before = await lastOf(writer, stream);
  const reader = read(await servers.connect("centre"), before);
  await store(1);
  await until(() => reader.last() === before + 1);
  await servers.regional.killAndRestart();
  await until(async () => (await lastOf(writer, stream)) === before + 1);
  const last = await store(1);
  await until(() => reader.last() === last, 10_000);
  expect(reader.messages).toHaveLength(2);
  await reader.stop();
});

test("a stream that does not reach back is a gap, not silence", async () => {
  const last = await store(5);
  const manager = await writer.jetstreamManager({ checkAPI: false });
  await manager.streams.purge(stream, { seq: last });
  const connection = await servers.connect("centre");
  const abort = new AbortController();
  await expect(follow(connection, stream, last - 4, abort.signal).next()).rejects.toThrow(StreamGap);
});
