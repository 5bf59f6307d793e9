import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leafHash } from "#domain/merkle.ts";
import {
  chainStart,
  endOfChain,
  keyThumbprint,
  nextSeal,
  SealKeys,
  SealingKey,
  type ChainEnd,
} from "#domain/seal.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import { Alarms } from "#platform/alarms.ts";
import { openStore, type ObjectStore } from "#platform/archive/object-store.ts";
import { readArchive, segmentsOf, type ArchiveStart } from "#platform/archive/read-archive.ts";
import { SegmentBroken, streamPrefix } from "#platform/archive/segment.ts";
import { streamRange } from "#platform/batch-get.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { firstEpoch, hubAsk, hubStream, hubSubject } from "#proto/names.ts";
import type { ArchivedMessage } from "#proto/qalqan/archive/v1/archive.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { appendPatiently, HubAndRegion, lastOf, testLog, until } from "#test/replication/servers.ts";
import { Archiver } from "../../services/coordination/archive/archiver.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const sealingKey = new SealingKey(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
const { x = "" } = publicKey.export({ format: "jwk" });

let servers: HubAndRegion;
let hub: NatsConnection;
let line: NatsConnection;
let keys: SealKeys;
let lane: SealedLane;

beforeAll(async () => {
  servers = await HubAndRegion.start();
  hub = await servers.connect("coordination");
  line = await servers.connect("line");
  await servers.createHubStreams(hub);
  await until(async () => (await streamRange(line, hubAsk.infoUp("events", firstEpoch), 500)).last === 0);
  keys = new SealKeys({ [servers.region]: [{ kid: keyThumbprint(x), x }] });
  lane = new SealedLane();
});
afterAll(async () => {
  await servers?.stop();
});

/** The region's `events` at the hub, as its replication writes it: messages, and seals over them. */
class SealedLane {
  readonly of = { site: servers.region, stream: "events", epoch: firstEpoch };
  readonly name = hubStream.up("events", servers.region, firstEpoch);
  readonly #leaves: Buffer[] = [];
  #end: ChainEnd = chainStart;
  #last = 0;

  async append(messages: number): Promise<void> {
    for (let count = 0; count < messages; count += 1)
      await this.#append("centre.directive", Buffer.from(`what was said as number ${this.#last + 1}`));
  }

  async seal(): Promise<void> {
    const { stream, ...where } = this.of;
    const seal = nextSeal({ stream, ...where }, this.#end, this.#leaves.splice(0), sealingKey, Date.now());
    this.#end = endOfChain(seal);
    const body = {
      $case: "seal" as const,
      value: {
        ...seal,
        previous: Buffer.from(seal.previous),
        root: Buffer.from(seal.root),
        signature: Buffer.from(seal.signature),
      },
    };
    await this.#append("replication.seal", Buffer.from(Event.encode(Event.fromPartial({ body })).finish()));
  }

  async #append(rest: string, data: Buffer): Promise<void> {
    this.#last += 1;
    await appendPatiently(line, hubSubject.up("events", servers.region, firstEpoch, rest), this.#last, data);
    this.#leaves.push(leafHash(data));
  }
}

/** Archives until the last seal of the lane is in the store. */
async function archive(store: ObjectStore, upTo: number): Promise<void> {
  const abort = new AbortController();
  const archiver = new Archiver(store, hub, testLog, new Alarms(testLog), 0);
  const running = archiver.run(abort.signal);
  try {
    await until(() => archiver.upTo(lane.name) >= upTo);
  } finally {
    abort.abort();
    await running;
  }
}

async function read(store: ObjectStore): Promise<ArchivedMessage[]> {
  const messages: ArchivedMessage[] = [];
  for await (const some of readArchive(store, lane.of, keys)) messages.push(...some);
  return messages;
}

test("messages are archived up to the last seal, once, and are read back with all seals proven", async () => {
  const folder = join(servers.folder, "archive");
  const store = openStore(pathToFileURL(folder).href, "");
  await lane.append(5);
  await lane.seal();
  await lane.append(3);
  await archive(store, 6);
  expect((await segmentsOf(store, lane.of)).map(({ first, last }) => [first, last])).toEqual([[1, 6]]);

  // Another process goes on where this one was, and what was not sealed then is in the next segment.
  await lane.seal();
  await lane.append(1);
  await archive(store, 10);
  const segments = await segmentsOf(store, lane.of);
  expect(segments.map(({ first, last }) => [first, last])).toEqual([
    [1, 6],
    [7, 10],
  ]);
  const messages = await read(store);
  expect(messages.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(String(messages[8]?.data)).toBe("what was said as number 9");
  expect(messages[8]?.subject).toBe(`up.${servers.region}.1.centre.directive`);
  expect(await lastOf(hub, lane.name)).toBe(11);
});

test("reading begins with the segment that holds a message, or a time", async () => {
  const store = openStore(pathToFileURL(join(servers.folder, "archive")).href, "");
  const firstFrom = async (from: ArchiveStart): Promise<number | undefined> => {
    for await (const [message] of readArchive(store, lane.of, keys, from)) return message?.sequence;
    return undefined;
  };
  const messages = await read(store);
  const storedAt = (sequence: number) => messages[sequence - 1]?.storedAtMs ?? 0;
  expect(await firstFrom({ sequence: 6 })).toBe(1);
  expect(await firstFrom({ sequence: 7 })).toBe(7);
  expect(await firstFrom({ sequence: 11 })).toBeUndefined();
  expect(await firstFrom({ atMs: storedAt(7) - 1 })).toBe(1);
  expect(await firstFrom({ atMs: storedAt(10) })).toBe(7);
  expect(await firstFrom({ atMs: 0 })).toBe(1);
});

describe("what was done to an archive is found", () => {
  const folder = () => join(servers.folder, "archive", streamPrefix(lane.of));
  const store = () => openStore(pathToFileURL(join(servers.folder, "archive")).href, "");

  test("a byte that is another one", async () => {
    const [name = ""] = readdirSync(folder());
    const bytes = readFileSync(join(folder(), name));
    const changed = Buffer.from(bytes);
    changed[bytes.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    writeFileSync(join(folder(), name), changed);
    await expect(read(store())).rejects.toThrow(SegmentBroken);
    writeFileSync(join(folder(), name), bytes);
    expect(await read(store())).toHaveLength(10);
  });

  test("a segment that is gone, and seals of another key", async () => {
    const others = new SealKeys({});
    const reading = async () => {
      for await (const some of readArchive(store(), lane.of, others)) expect(some).toEqual([]);
    };
    await expect(reading()).rejects.toThrow("the seal at 6 proves nothing: unknown-key");
    await lane.seal();
    await archive(store(), 12);
    const [, middle = ""] = readdirSync(folder()).sort();
    const bytes = readFileSync(join(folder(), middle));
    rmSync(join(folder(), middle));
    await expect(read(store())).rejects.toThrow("messages 7 to 10 are missing");
    writeFileSync(join(folder(), middle), bytes);
  });
});

/** Empty: it was not built on this machine. */
function storagePath(): string {
  try {
    return findTool("object-storage");
  } catch {
    return "";
  }
}

describe.skipIf(storagePath() === "")(
  `by the S3 interface${storagePath() === "" ? " (skipped: object-storage is not built here)" : ""}`,
  () => {
    const secret = "a-secret-of-this-test";
    const credentials = () => join(servers.folder, "credentials");
    const open = (own = secret) => {
      writeFileSync(credentials(), `archive-key\n${own}\n`);
      const endpoint = `http://${servers.ports.address("replication/http")}`;
      return openStore(`s3://evidence/of/the-nation?endpoint=${encodeURIComponent(endpoint)}`, credentials());
    };

    beforeAll(() => {
      servers
        .process("storage", () =>
          spawn(storagePath(), [servers.ports.address("replication/http"), "archive-key", secret]),
        )
        .start();
    });

    test("the same is written and read, and an object stays as it was first written", async () => {
      const store = open();
      await until(async () => (await store.list("")).length === 0);
      await archive(store, 12);
      expect((await read(store)).map(({ sequence }) => sequence)).toEqual(
        Array.from({ length: 12 }, (_, index) => index + 1),
      );
      await store.put("one/object", Buffer.from("as it was"));
      await store.put("one/object", Buffer.from("another one"));
      expect(String(await store.get("one/object"))).toBe("as it was");
      expect(await store.list("one/")).toEqual(["one/object"]);
    });

    test("more names than one answer holds are all listed, in order", async () => {
      const store = open();
      const names = Array.from({ length: 1_050 }, (_, index) => `many/${String(index).padStart(5, "0")}`);
      for (let index = 0; index < names.length; index += 50)
        await Promise.all(names.slice(index, index + 50).map((name) => store.put(name, Buffer.from(name))));
      expect(await store.list("many/")).toEqual(names);
    });

    test("a wrong secret is refused, and the refusal said", async () => {
      await expect(open("another secret").put("one/more", Buffer.from("x"))).rejects.toThrow(
        /PUT one\/more: 403/,
      );
    });

    test("a storage that is away raises an alarm, and the archive goes on when it is back", async () => {
      const alarms = new Alarms(testLog);
      const abort = new AbortController();
      const nowhere = openStore("s3://evidence/of?endpoint=http%3A%2F%2F127.0.0.1%3A1", credentials());
      let place: ObjectStore = nowhere;
      const store: ObjectStore = {
        put: (name, bytes) => place.put(name, bytes),
        get: (name) => place.get(name),
        list: (prefix) => place.list(prefix),
      };
      const archiver = new Archiver(store, hub, testLog, alarms, 0);
      const running = archiver.run(abort.signal);
      await until(() => alarms.list().some(({ code }) => code === "archive-behind"));
      expect(archiver.upTo(lane.name)).toBe(0);
      place = open();
      await until(() => archiver.upTo(lane.name) === 12 && alarms.list().length === 0);
      abort.abort();
      await running;
    });
  },
);
