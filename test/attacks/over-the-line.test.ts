import { connect, nkeyAuthenticator, nkeys, type NatsConnection } from "nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubAsk, hubStream, hubSubject, lanes } from "#proto/names.ts";
import { addressIn } from "#infra/local/run-file.ts";
import { connectAs, leafAddress, steal, stolenFrom, until } from "#test/infra/small-nation.ts";
import { attack } from "./list.ts";
import { NationUnderAttack } from "./nation-under-attack.ts";
import { StolenLine } from "./stolen-line.ts";

let under: NationUnderAttack;
const upOfAlmaty = hubSubject.up("events", "almaty", firstEpoch, "centre.directive");
const upOfAstana = hubSubject.up("events", "astana", firstEpoch, "centre.directive");

beforeAll(async () => {
  under = await NationUnderAttack.start();
});
afterAll(async () => {
  await under?.stop();
});

/** Streams of the other region and of the nation; none of them may move. */
async function elsewhere(): Promise<number[]> {
  const streams = [
    ...lanes.map((lane) => hubStream.up(lane, "almaty", firstEpoch)),
    hubStream.national(firstEpoch),
    hubStream.forRegion("almaty", firstEpoch),
  ];
  return Promise.all(streams.map((stream) => under.last(stream)));
}

/** Each try on a line of its own: the first that is refused ends it. */
async function isEnded(act: (line: StolenLine) => void): Promise<string> {
  const line = await steal(under.nation, "astana");
  expect(line.isOpen).toBe(true);
  act(line);
  await line.flush();
  await until("the line is ended", () => !line.isOpen);
  return line.errors.join();
}

/** What a connection hears from now on. */
async function hearing(connection: NatsConnection, subjects: readonly string[]): Promise<string[]> {
  const heard: string[] = [];
  for (const subject of subjects) {
    const subscription = connection.subscribe(subject);
    void (async () => {
      for await (const message of subscription) heard.push(message.string());
    })();
  }
  await connection.flush();
  return heard;
}

/** Something that the hub says to each region alone, as it says what is in FOR. */
async function sayToEach(): Promise<void> {
  const manager = await under.hub.jetstreamManager();
  for (const region of ["almaty", "astana"]) {
    const subject = `for.${region}.said.>`;
    const name = `SAID_${region}`;
    const exists = await manager.streams.info(name).then(
      () => true,
      () => false,
    );
    if (!exists)
      await manager.streams.add({
        name,
        subjects: [subject],
        republish: { src: subject, dest: `live.${subject}` },
      });
    await under.hub.request(`for.${region}.said.batch`, `for ${region}`);
  }
}

const seenAtHub = () =>
  until("the audit and the alarms have it", async () => {
    const lines = await under.audit("refused-at-hub");
    return (
      lines.some(({ region, reason }) => region === "astana" && reason === "Protocol Violation") &&
      (await under.isAlarmed("refused-at-hub", "astana"))
    );
  });

test(`tried: ${attack("write-as-another")}`, async () => {
  const before = await elsewhere();
  for (const lane of lanes) {
    const subject = hubSubject.up(lane, "almaty", firstEpoch, "centre.directive");
    expect(await isEnded((line) => line.publish(subject, "forged"))).toContain("Permissions Violation");
  }
  expect(await elsewhere()).toEqual(before);
  await seenAtHub();
});

test(`tried: ${attack("line-that-calls-itself-a-hub")}`, async () => {
  const before = await elsewhere();
  await using victim = await connectAs(under.nation, "astana", "line");
  const heard = await hearing(victim, [hubSubject.liveNationalAll, "_INBOX.victim"]);
  const line = await steal(under.nation, "astana", { is_hub: true });
  line.listen("live.for.almaty.said.batch");
  line.listen("up.>");
  const subjects = [
    upOfAlmaty,
    hubSubject.live(hubSubject.national(firstEpoch)),
    "_INBOX.victim",
    "$JS.API.INFO",
  ];
  for (const subject of subjects) line.publish(subject, "forged", "_INBOX.stolen.0");
  await line.flush();
  await sayToEach();
  await line.flush();
  await victim.flush();
  expect(await elsewhere()).toEqual(before);
  expect(heard.filter((text) => text.includes("forged"))).toEqual([]);
  expect(line.messages.filter(({ text }) => text.includes("almaty"))).toEqual([]);
  line.close();
});

test(`tried: ${attack("listen-to-another")}`, async () => {
  const literal = hubSubject.live(hubSubject.forRegion("almaty", firstEpoch));
  expect(await isEnded((line) => line.listen(literal))).toContain("Permissions Violation");
  const line = await steal(under.nation, "astana");
  for (const subject of ["live.for.>", "live.>", ">", "up.>", "upu.>"]) line.listen(subject);
  await line.flush();
  await sayToEach();
  await until("what is its own is heard", () => line.messages.some(({ text }) => text === "for astana"));
  await line.flush();
  expect(
    line.messages.filter(({ subject, text }) => subject.includes("almaty") || text.includes("almaty")),
  ).toEqual([]);
  line.close();
  await seenAtHub();
});

test.each([
  `$JS.API.DIRECT.GET.${hubStream.forRegion("almaty", firstEpoch)}`,
  `$JS.API.DIRECT.GET.${hubStream.up("events", "almaty", firstEpoch)}`,
  `$JS.API.STREAM.MSG.GET.${hubStream.national(firstEpoch)}`,
  `$JS.API.STREAM.INFO.${hubStream.forRegion("almaty", firstEpoch)}`,
])(`${attack("read-anothers-stream")} (%s)`, async (subject) => {
  expect(await isEnded((line) => line.publish(subject, '{"seq":1}', "_INBOX.stolen.0"))).toContain(
    "Permissions Violation",
  );
  await seenAtHub();
});

test.each([
  "$JS.API.STREAM.LIST",
  "$JS.API.STREAM.CREATE.MINE",
  `$JS.API.STREAM.UPDATE.${hubStream.national(firstEpoch)}`,
  `$JS.API.STREAM.PURGE.${hubStream.up("events", "astana", firstEpoch)}`,
  `$JS.API.STREAM.DELETE.${hubStream.up("events", "almaty", firstEpoch)}`,
  "$JS.capital.API.STREAM.NAMES",
  "$SYS.REQ.SERVER.PING",
])(`${attack("administer-the-hub")} (%s)`, async (subject) => {
  const names = async () => {
    const found: string[] = [];
    for await (const name of (await under.hub.jetstreamManager()).streams.names()) found.push(name);
    return found.toSorted();
  };
  const before = await names();
  expect(await isEnded((line) => line.publish(subject, "{}", "_INBOX.stolen.0"))).toContain(
    "Permissions Violation",
  );
  expect(await names()).toEqual(before);
});

test(`tried: ${attack("consumers-across-accounts")}`, async () => {
  const stream = hubStream.national(firstEpoch);
  const config = { deliver_subject: upOfAlmaty, deliver_policy: "all", ack_policy: "none" };
  const wish = JSON.stringify({ stream_name: stream, config });
  for (const subject of [`$JS.API.CONSUMER.CREATE.${stream}`, `hub.consumer.${stream}`])
    expect(await isEnded((line) => line.publish(subject, wish, "_INBOX.stolen.0"))).toContain(
      "Permissions Violation",
    );
  const { state } = await (await under.hub.jetstreamManager()).streams.info(stream);
  expect(state.consumer_count).toBe(0);
});

test(`tried: ${attack("reply-subject-over-the-line")}`, async () => {
  const before = await elsewhere();
  const line = await steal(under.nation, "astana");
  const places = [
    upOfAlmaty,
    hubSubject.national(firstEpoch),
    hubAsk.infoNational(firstEpoch),
    "$JS.API.STREAM.LIST",
  ];
  for (const place of places) {
    line.publish(hubAsk.infoUp("events", firstEpoch), "", place);
    line.publish(hubAsk.getNational(firstEpoch), '{"seq":1,"batch":10}', place);
    line.publish(upOfAstana, "an event of its own", place);
  }
  await line.flush();
  await until("its own events are stored", async () => {
    return (await under.last(hubStream.up("events", "astana", firstEpoch))) >= places.length;
  });
  expect(line.isOpen).toBe(true);
  expect(await elsewhere()).toEqual(before);
  line.close();
});

test(`tried: ${attack("speak-for-the-capital")}`, async () => {
  await using victim = await connectAs(under.nation, "astana", "line");
  const heard = await hearing(victim, [hubSubject.liveNationalAll]);
  for (const subject of [hubSubject.live(hubSubject.national(firstEpoch)), hubSubject.heartbeat])
    expect(await isEnded((line) => line.publish(subject, "forged"))).toContain("Permissions Violation");
  await victim.flush();
  expect(heard).not.toContain("forged");
});

test(`tried: ${attack("client-port-with-the-leaf-key")}`, async () => {
  const { seed, caFile, certificateFile: certFile, keyFile } = stolenFrom(under.nation, "astana");
  await expect(
    connect({
      servers: addressIn(under.nation.run, "capital", "nats", "client"),
      authenticator: nkeyAuthenticator(seed),
      tls: { caFile, certFile, keyFile },
      reconnect: false,
    }),
  ).rejects.toThrow(/Authorization Violation/i);
  await until("the audit has it", async () => {
    const key = nkeys.fromSeed(seed).getPublicKey();
    return (await under.audit("refused-at-hub")).some(({ actor }) => actor === key);
  });
});

test(`tried: ${attack("unknown-key")}`, async () => {
  const pair = nkeys.createUser();
  const credentials = { ...stolenFrom(under.nation, "astana"), seed: pair.getSeed() };
  const line = await StolenLine.open(leafAddress(under.nation), credentials);
  expect(line.isOpen).toBe(false);
  expect(line.errors.join()).toContain("Authorization Violation");
  await until("the audit and the alarms have it", async () => {
    const lines = await under.audit("refused-at-hub");
    const isThere = lines.some(({ actor }) => actor === pair.getPublicKey());
    return isThere && (await under.isAlarmed("refused-at-hub", "hub"));
  });
});

test(`tried: ${attack("oversized-message")}`, async () => {
  const before = await under.last(hubStream.up("events", "astana", firstEpoch));
  await isEnded((line) => line.publish(upOfAstana, Buffer.alloc(1024 * 1024 + 1)));
  expect(await under.last(hubStream.up("events", "astana", firstEpoch))).toBe(before);
  await until("the audit has it", async () =>
    (await under.audit("refused-at-hub")).some(({ reason }) => reason === "Maximum Message Payload Exceeded"),
  );
});

test(`tried: ${attack("append-twice")}`, async () => {
  const line = await steal(under.nation, "astana");
  const last = await under.last(hubStream.up("events", "astana", firstEpoch));
  const header = `NATS/1.0\r\nNats-Expected-Last-Sequence: ${last}\r\n\r\n`;
  expect(await line.ask(upOfAstana, "one", header)).toContain(`"seq":${last + 1}`);
  expect(await line.ask(upOfAstana, "one", header)).toContain("wrong last sequence");
  expect(await under.last(hubStream.up("events", "astana", firstEpoch))).toBe(last + 1);
  line.close();
});

test(`tried: ${attack("fill-the-stream")}`, async () => {
  const manager = await under.hub.jetstreamManager();
  for (const lane of lanes) {
    const { config } = await manager.streams.info(hubStream.up(lane, "astana", firstEpoch));
    expect(config.discard).toBe("new");
    expect(config.max_bytes).toBeGreaterThan(0);
    // The same with a size that a test can fill.
    const subjects = [`up.astana.${lane}-small.>`];
    await manager.streams.add({ ...config, name: `SMALL_${lane}`, subjects, max_bytes: 64 * 1024 });
    const line = await steal(under.nation, "astana");
    let answer = "";
    let sent = 0;
    for (; sent < 100 && !answer.includes("error"); sent += 1)
      answer = (await line.ask(`up.astana.${lane}-small.x`, Buffer.alloc(4_096))) ?? "";
    expect(answer).toContain("maximum bytes exceeded");
    const { state } = await manager.streams.info(`SMALL_${lane}`);
    expect(state.first_seq).toBe(1);
    expect(state.messages).toBe(sent - 1);
    line.close();
  }
});
