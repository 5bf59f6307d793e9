import { setTimeout as sleep } from "node:timers/promises";
import { headers, RequestStrategy, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  expectedLastSequence,
  hubAsk,
  hubStream,
  hubSubject,
  regionStream,
  regionSubject,
} from "#proto/names.ts";
import { connectAs, startServers, temporaryFolder, until } from "./small-nation.ts";

const folder = temporaryFolder();
let nation: Awaited<ReturnType<typeof startServers>>;
let coordination: NatsConnection;
let replication: NatsConnection;
let line: NatsConnection;
let centre: NatsConnection;
let screening: NatsConnection;

beforeAll(async () => {
  nation = await startServers(folder.path, ["astana", "almaty"]);
  coordination = await connectAs(nation, "capital", "coordination");
  replication = await connectAs(nation, "astana", "replication");
  line = await connectAs(nation, "astana", "line");
  centre = await connectAs(nation, "astana", "centre");
  screening = await connectAs(nation, "astana", "screening");
  const hub = await coordination.jetstreamManager();
  for (const region of ["astana", "almaty"]) {
    for (const epoch of [1, 2]) {
      const name = hubStream.up("events", region, epoch);
      await hub.streams.add({
        name,
        subjects: [hubSubject.upAll("events", region, epoch)],
        allow_direct: true,
      });
    }
    const forRegion = hubSubject.forRegionAll(region, 1);
    await hub.streams.add({
      name: hubStream.forRegion(region, 1),
      subjects: [forRegion],
      allow_direct: true,
      republish: { src: forRegion, dest: hubSubject.live(forRegion) },
    });
  }
  await hub.streams.add({
    name: hubStream.national(1),
    subjects: [hubSubject.nationalAll(1)],
    allow_direct: true,
    republish: { src: hubSubject.nationalAll(1), dest: hubSubject.live(hubSubject.nationalAll(1)) },
  });
  await until("the line answers", () =>
    ask(line, hubAsk.infoNational(1)).then(
      () => true,
      () => false,
    ),
  );
  const region = await replication.jetstreamManager();
  await region.streams.add({ name: regionStream.local, subjects: ["local.>"], allow_direct: true });
  for (const lane of ["events", "urgent"] as const) {
    await region.streams.add({
      name: regionStream.lane(lane, 1),
      subjects: [regionSubject.laneAll(lane, 1)],
      allow_direct: true,
    });
  }
});

afterAll(async () => {
  for (const connection of [coordination, replication, line, centre, screening]) await connection?.close();
  await nation?.stop();
  folder[Symbol.dispose]();
});

/** Publishes and waits for the stream's acknowledgement; its sequence. */
async function append(
  connection: NatsConnection,
  subject: string,
  data: string,
  expected?: number,
): Promise<number> {
  const header = headers();
  if (expected !== undefined) header.set(expectedLastSequence, String(expected));
  const answer = await connection.request(subject, data, { headers: header, timeout: 10_000 });
  const { seq, error } = JSON.parse(answer.string()) as { seq?: number; error?: { description: string } };
  if (seq === undefined || error !== undefined) throw new Error(error?.description);
  return seq;
}

async function ask(connection: NatsConnection, subject: string): Promise<unknown> {
  return JSON.parse((await connection.request(subject, "", { timeout: 10_000 })).string());
}

describe("upwards", () => {
  test("what a region appends arrives at the hub, and a repeated append is refused", async () => {
    const subject = hubSubject.up("events", "astana", 1, "centre.directive");
    expect(await append(line, subject, "one", 0)).toBe(1);
    await expect(append(line, subject, "one", 0)).rejects.toThrow("wrong last sequence: 1");
    const hub = await coordination.jetstreamManager();
    const stored = await hub.streams.getMessage(hubStream.up("events", "astana", 1), { seq: 1 });
    expect(stored.string()).toBe("one");
    expect(await ask(line, hubAsk.infoUp("events", 1))).toMatchObject({ state: { last_seq: 1 } });
  });

  test("the next epoch is open without a reload", async () => {
    expect(await append(line, hubSubject.up("events", "astana", 2, "centre.directive"), "fork", 0)).toBe(1);
  });

  test("a region cannot write as another, and leaves nothing there", async () => {
    const subject = hubSubject.up("events", "almaty", 1, "centre.directive");
    await expect(append(line, subject, "forged")).rejects.toThrow(/Permissions Violation/);
    const hub = await coordination.jetstreamManager();
    expect((await hub.streams.info(hubStream.up("events", "almaty", 1))).state.messages).toBe(0);
  });

  test("no service reaches the hub by a reply subject either", async () => {
    const before = await ask(line, hubAsk.infoUp("events", 1));
    const reply = hubSubject.up("events", "astana", 1, "centre.directive");
    for (const connection of [centre, screening, replication]) {
      connection.publish(`$JS.API.STREAM.INFO.${regionStream.lane("events", 1)}`, "", { reply });
      connection.publish(`$JS.API.DIRECT.GET.${regionStream.lane("events", 1)}`, '{"seq":1}', { reply });
      await connection.flush();
    }
    await sleep(300);
    expect(await ask(line, hubAsk.infoUp("events", 1))).toMatchObject({
      state: { last_seq: (before as { state: { last_seq: number } }).state.last_seq },
    });
  });

  test("no service with the region's account can write across the line", async () => {
    const subject = hubSubject.up("events", "astana", 1, "centre.directive");
    for (const connection of [centre, screening, replication]) {
      await expect(append(connection, subject, "forged")).rejects.toThrow(/Permissions Violation/);
      await expect(ask(connection, hubAsk.infoNational(1))).rejects.toThrow(/Permissions Violation/);
    }
  });

  test("the hub's own administration does not answer a region", async () => {
    await expect(ask(line, "$JS.capital.API.STREAM.NAMES")).rejects.toThrow(
      /Permissions Violation|503|TIMEOUT/,
    );
  });
});

describe("downwards", () => {
  test("a national batch is heard live and read in a batch", async () => {
    const live = line.subscribe(hubSubject.live(hubSubject.nationalAll(1)), { max: 1 });
    await line.flush();
    await until("the hub knows the interest", async () => {
      await append(coordination, hubSubject.national(1), `batch`);
      return live.getReceived() > 0;
    });
    for await (const message of live) {
      expect(message.headers?.get("Nats-Stream")).toBe(hubStream.national(1));
      expect(Number(message.headers?.get("Nats-Sequence"))).toBeGreaterThan(0);
    }
    const request = JSON.stringify({ seq: 1, batch: 1_000, max_bytes: 900_000 });
    const answers = await line.requestMany(hubAsk.getNational(1), request, {
      strategy: RequestStrategy.SentinelMsg,
      maxWait: 2_000,
    });
    const sequences: number[] = [];
    for await (const answer of answers) {
      if (answer instanceof Error) throw answer;
      if (answer.headers?.code === 204) break;
      sequences.push(Number(answer.headers?.get("Nats-Sequence")));
    }
    expect(sequences[0]).toBe(1);
  });

  test("the capital's heartbeat, which is stored nowhere, is heard by screening", async () => {
    const heard = screening.subscribe(hubSubject.heartbeat, { max: 1 });
    await screening.flush();
    await until("a heartbeat is heard", () => {
      coordination.publish(hubSubject.heartbeat, "now");
      return heard.getReceived() > 0;
    });
    for await (const message of heard) expect(message.string()).toBe("now");
  });

  test("what is for another region is neither heard nor read", async () => {
    await append(coordination, hubSubject.forRegion("almaty", 1), "for almaty alone");
    await append(coordination, hubSubject.forRegion("astana", 1), "for astana");
    expect(await ask(line, hubAsk.infoFor(1))).toMatchObject({
      config: { name: hubStream.forRegion("astana", 1) },
    });
    const refused = line.subscribe(hubSubject.liveForAll("almaty"));
    await expect(
      (async () => {
        for await (const _ of refused) break;
      })(),
    ).rejects.toThrow(/Permissions Violation/);
  });
});

describe("within a region", () => {
  test("a service writes its own producer's subjects and no other's", async () => {
    expect(await append(centre, regionSubject.lane("urgent", 1, "centre", "directive"), "own")).toBe(1);
    expect(await append(screening, regionSubject.local("screening-0", "calls"), "own")).toBe(1);
    const forged = regionSubject.lane("events", 1, "centre", "directive");
    await expect(append(screening, forged, "forged")).rejects.toThrow(/Permissions Violation/);
  });

  test("an ordered consumer of the client reads a lane with narrow permissions", async () => {
    const consumer = await screening.jetstream().consumers.get(regionStream.lane("urgent", 1), {});
    for await (const message of await consumer.fetch({ max_messages: 1, expires: 2_000 })) {
      expect(message.string()).toBe("own");
    }
    const manager = await screening.jetstreamManager();
    const last = await manager.streams.getMessage(regionStream.lane("urgent", 1), {
      last_by_subj: "urgent.1.centre.>",
    });
    expect(last.seq).toBe(1);
  });

  test("what names victims is read by the centre alone, and flows into no other stream", async () => {
    await append(screening, regionSubject.local("screening-0", "calls"), "a victim");
    const copy = { name: "COPY", sources: [{ name: regionStream.local }] };
    const own = await replication.jetstreamManager();
    await expect(own.streams.add(copy)).rejects.toThrow(/Permissions Violation/);
    const lane = regionStream.lane("events", 1);
    await expect(own.streams.update(lane, { sources: copy.sources })).rejects.toThrow(
      /Permissions Violation/,
    );
    for (const connection of [screening, replication]) {
      const manager = await connection.jetstreamManager();
      await expect(manager.streams.getMessage(regionStream.local, { seq: 1 })).rejects.toThrow(
        /Permissions Violation/,
      );
      await expect(manager.consumers.add(regionStream.local, {})).rejects.toThrow(/Permissions Violation/);
    }
    const last = `$JS.API.DIRECT.GET.${regionStream.local}.${regionSubject.local("screening-0", "calls")}`;
    expect((await screening.request(last, "")).string()).toBe("a victim");
    const consumer = await centre.jetstream().consumers.get(regionStream.local, {});
    for await (const message of await consumer.fetch({ max_messages: 1, expires: 2_000 })) {
      expect(message.subject).toBe(regionSubject.local("screening-0", "calls"));
    }
  });

  test("only replication may purge, and nobody LOCAL", async () => {
    const lane = regionStream.lane("events", 1);
    await expect((await centre.jetstreamManager()).streams.purge(lane)).rejects.toThrow(
      /Permissions Violation/,
    );
    const own = await replication.jetstreamManager();
    expect((await own.streams.purge(lane, { seq: 1 })).success).toBe(true);
    await expect(own.streams.purge(regionStream.local)).rejects.toThrow(/Permissions Violation/);
    await expect(own.streams.getMessage(regionStream.local, { seq: 1 })).rejects.toThrow(
      /Permissions Violation/,
    );
  });
});
