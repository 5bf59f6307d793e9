import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubStream } from "#proto/names.ts";
import type { Directive, Event, Receipt } from "#proto/qalqan/events/v1/events.ts";
import { approvalOf, directiveOf, directives, idOf, revokedOf } from "#test/coordination/directives.ts";
import { until } from "#test/infra/small-nation.ts";
import { attack } from "./list.ts";
import { NationUnderAttack } from "./nation-under-attack.ts";
import { nastyEvents } from "./nasty-events.ts";

let under: NationUnderAttack;
const dayMs = 24 * 3_600_000;

beforeAll(async () => {
  under = await NationUnderAttack.start();
});
afterAll(async () => {
  await under?.stop();
});

const send = (...bodies: NonNullable<Event["body"]>[]) => under.send("astana", "urgent", ...bodies);
const say = (...given: Directive[]) => send(directives(...given));
const refusedMore = (reason: string, before: number, more: number) =>
  until(
    `${more} are refused as ${reason}`,
    async () => (await under.refused("astana", reason)) >= before + more,
  );

/** What another region's screening would say. */
function receiptOf(region: string, change: Partial<Receipt> = {}): Receipt {
  return {
    ...{ region, replica: "screening-0", bootId: "boot", release: "test", ready: true },
    ...{ nationalEpoch: firstEpoch, nationalSequence: 1, digest: Buffer.alloc(32), regionEpoch: firstEpoch },
    ...{ eventsSequence: 0, urgentSequence: 0, applied: [], atMs: Date.now() },
    ...change,
  };
}

const regionStatus = async (region: string) => {
  const address = under.nation.run.sites["capital"]?.["coordination"]?.["http"] ?? "";
  const answer = (await (await fetch(`http://${address}/v1/status`)).json()) as {
    regions: {
      region: string;
      sequence: number;
      stalenessMs: number;
      readyReplicas: number;
      alarms: unknown[];
    }[];
  };
  return answer.regions.find((each) => each.region === region);
};

test(`tried: ${attack("events-of-another")}`, async () => {
  const before = await under.refused("astana", "other-region");
  const target = directiveOf("almaty", 1);
  const minute = Math.floor(Date.now() / 60_000);
  const last = await send(
    directives(target),
    { $case: "approval", value: approvalOf("almaty", { directive: target.id }) },
    {
      $case: "batchRevocation",
      value: { batch: idOf("almaty", 9), person: "x", role: "operator", reason: "mistake", atMs: 1 },
    },
    { $case: "receipt", value: receiptOf("almaty") },
    {
      $case: "heartbeat",
      value: {
        region: "almaty",
        nationalSeal: undefined,
        regionEpoch: 7,
        atMs: Date.now(),
        release: "test",
        streams: [],
        numbers: [],
      },
    },
    {
      $case: "counters",
      value: {
        region: "almaty",
        source: "screening-0:x",
        flush: 1,
        minutes: [{ minute, counts: [] }],
        calls: [],
      },
    },
    {
      $case: "intelligenceWithdrawn",
      value: { id: idOf("almaty", 3), revision: 1, audience: "all", atMs: 1 },
    },
    {
      $case: "alarms",
      value: {
        ...{ region: "almaty", source: "centre", atMs: 1 },
        alarms: [{ code: "stream-full", subject: "EVENTS", detail: "", sinceMs: 1 }],
      },
    },
  );
  await under.taken("astana", "urgent", last);
  await refusedMore("other-region", before, 8);
  expect(await under.decisions(target.id)).toEqual([]);
  expect(await regionStatus("almaty")).toMatchObject({ stalenessMs: -1, readyReplicas: 0, alarms: [] });
  await until("the alarm is there", () =>
    under.isAlarmed("refused-events", hubStream.up("urgent", "astana", firstEpoch)),
  );
});

test(`tried: ${attack("forged-receipt")}`, async () => {
  const before = await under.refused("astana", "other-region");
  await say(directiveOf("astana", 10));
  await under.decided(idOf("astana", 10), "accepted");
  const sequence = (await under.batches()).length;
  const applied = [{ stream: "NATIONAL", sequence, atMs: Date.now() }];
  await send({ $case: "receipt", value: receiptOf("almaty", { nationalSequence: sequence, applied }) });
  await refusedMore("other-region", before, 1);
  expect(await under.query("select 1 from enforced where region = 'almaty'")).toEqual([]);
});

test(`tried: ${attack("old-event")}`, async () => {
  const first = directiveOf("astana", 20);
  const second = { ...first, revision: 2, action: "divert" };
  await say(first, second);
  await under.decided(first.id, "accepted");
  await say(first);
  const revoked = revokedOf(second);
  await say(revoked);
  await under.decided(first.id, "revoked");
  await under.taken("astana", "urgent", await say(first, second, { ...second, revision: 9 }));
  expect(await under.lastDecision(first.id)).toMatchObject({ revision: 3, decision: "revoked" });
});

test(`tried: ${attack("far-revision")}`, async () => {
  const before = await under.refused("astana", "far-ahead");
  const first = directiveOf("astana", 30);
  await say(first);
  await under.decided(first.id, "accepted");
  await say({ ...first, revision: 4_294_967_295 }, { ...first, revision: 102 });
  await refusedMore("far-ahead", before, 2);
  const next = { ...first, revision: 2, action: "warn" };
  await say(next);
  await until("the next revision counts", async () => (await under.lastDecision(first.id))?.revision === 2);
  await say({ ...revokedOf(first), revision: 4_294_967_295 });
  await under.decided(first.id, "revoked");
});

test(`tried: ${attack("blind-override")}`, async () => {
  const first = directiveOf("astana", 40);
  await say(first);
  await under.decided(first.id, "accepted");
  const override = (index: number, change: Partial<Directive>) =>
    directiveOf("astana", index, {
      target: first.target,
      action: "warn",
      authorRole: "regional-prosecutor",
      author: "prosecutor-1.astana",
      ...change,
    });
  await say(override(41, { overrideRevision: 1_000_000 }));
  expect(await under.decided(idOf("astana", 41), "rejected")).toMatchObject({ reason: "conflict" });
  const sequence = (await under.batches()).length;
  await say(override(42, { overrideRevision: sequence, authorRole: "operator" }));
  expect(await under.decided(idOf("astana", 42), "rejected")).toMatchObject({ reason: "powers" });
  expect(await under.lastDecision(first.id)).toMatchObject({ decision: "accepted" });
});

test(`tried: ${attack("lying-clock")}`, async () => {
  const nowMs = Date.now();
  const inTenYears = nowMs + 3_650 * dayMs;
  // Seven days by its own words, ten years by everybody's.
  const future = directiveOf("astana", 50, {
    acceptedAtMs: inTenYears,
    termFromMs: inTenYears,
    expiresAtMs: inTenYears + dayMs,
  });
  await say(future);
  await under.decided(future.id, "rejected");
  const beyond = directiveOf("astana", 51, { termFromMs: inTenYears, expiresAtMs: nowMs + 300 * dayMs });
  await say(beyond);
  await under.decided(beyond.id, "held");
  const old = directiveOf("astana", 52, { acceptedAtMs: 1, termFromMs: 1, expiresAtMs: 2 });
  await say(old);
  await until("it is decided", async () => (await under.lastDecision(old.id)) !== undefined);
  expect((await under.lastDecision(old.id))?.decision).not.toBe("accepted");
});

test(`tried: ${attack("future-figures")}`, async () => {
  const before = await under.refused("astana", "malformed");
  const minute = Math.floor(Date.now() / 60_000) + 10 * 24 * 60;
  await send({
    $case: "counters",
    value: {
      ...{ region: "astana", source: "screening-0:x", flush: 1, calls: [] },
      minutes: [
        {
          minute,
          counts: [
            {
              verdict: "block",
              reason: "directive",
              trunk: "t",
              mode: "enforce",
              decision: "block",
              questions: 9,
            },
          ],
        },
      ],
    },
  });
  await refusedMore("malformed", before, 1);
  expect(await under.query(`select 1 from minute_counts where minute = ${minute}`)).toEqual([]);
});

test(`tried: ${attack("malformed-messages")}`, async () => {
  const before = await under.refused("astana", "malformed");
  const unreadable = await under.refused("astana", "unreadable");
  const bytes = [
    randomBytes(2_000),
    // Field 1 as a group that begins and never ends, as deep as a message is long.
    Buffer.alloc(1_000_000, 0x0b),
    // A length that the message does not have.
    Buffer.from([0x52, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    // A number beyond what is exact here.
    Buffer.from([0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
  ];
  for (const each of bytes) await under.sendBytes("astana", "urgent", each);
  await refusedMore("unreadable", unreadable, 3);
  const many = Array.from({ length: 1_001 }, (_, index) => directiveOf("astana", 60_000 + index));
  await say(...many);
  let last = 0;
  for (const body of nastyEvents("astana")) last = await send(body);
  await under.taken("astana", "urgent", last);
  await refusedMore("malformed", before, 10);
  await under.send("almaty", "urgent", directives(directiveOf("almaty", 60)));
  await under.decided(idOf("almaty", 60), "accepted");
  expect(await under.decisions(idOf("astana", 60_000))).toEqual([]);
  expect(await regionStatus("almaty")).toBeDefined();
  const { services } = await under.nation.status();
  expect(services.find(({ service }) => service === "coordination")?.restarts).toBe(0);
});

test(`tried: ${attack("flood")}`, async () => {
  const lines = (await under.audit("refused")).length;
  // Many steps' worth, and stored before the hub takes the standing reader for gone.
  const count = 2_000;
  const line = await under.line("astana");
  const subject = `upu.astana.${firstEpoch}.centre.event`;
  const first = await under.last(hubStream.up("urgent", "astana", firstEpoch));
  const garbage = randomBytes(600);
  // All of it is there before a single message is read, and the other region's directive comes last.
  await under.nation.pause("capital", "coordination");
  for (let index = 0; index < count; index += 1) line.publish(subject, garbage);
  await line.flush();
  await until("the hub has it all", async () => {
    return (await under.last(hubStream.up("urgent", "astana", firstEpoch))) >= first + count;
  });
  await under.send("almaty", "urgent", directives(directiveOf("almaty", 70)));
  // Noted by the step that decides: who asks for it later may find the flood read to its end.
  await under.query(`
    create table flood_read (sequence bigint not null);
    create function note_flood_read() returns trigger language plpgsql as $$ begin
      insert into flood_read select sequence from inbox
        where region = 'astana' and lane = 'urgent' and epoch = ${firstEpoch};
      return null;
    end $$;
    create trigger flood_read after insert on decision for each row
      when (new.directive = '${idOf("almaty", 70)}') execute function note_flood_read()`);
  await under.nation.resume("capital", "coordination");
  await under.decided(idOf("almaty", 70), "accepted");
  const [then] = await under.query<{ sequence: string }>("select sequence from flood_read");
  await under.query("drop trigger flood_read on decision");
  // The other region did not wait for the flood to be over: its turn came with every step.
  expect(Number(then?.sequence)).toBeLessThan(first + count);
  await under.taken("astana", "urgent", first + count);
  expect((await under.audit("refused")).length - lines).toBeLessThan(20);
});
