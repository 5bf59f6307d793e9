import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Overlay } from "#domain/overlay.ts";
import { read } from "#platform/grpc-client.ts";
import type { Lane } from "#proto/names.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import type { OverlayHeader, OverlayPart } from "#proto/qalqan/centre/v1/centre.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { lastOf, readAll, until } from "#test/replication/servers.ts";
import {
  carrier,
  CentreService,
  dayMs,
  hourMs,
  operator,
  prosecutor,
  region,
  secondOperator,
} from "./centre-service.ts";

describe("the overlay that the centre gives to screening", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  async function ask(): Promise<{ header: OverlayHeader; events: Event[] }> {
    const client = await service.clientOf(`screening.${region}`);
    let header: OverlayHeader | undefined;
    const events: Event[] = [];
    for await (const { part } of read<OverlayPart>(client.getOverlay({}))) {
      if (part?.$case === "header") header = part.value;
      if (part?.$case === "event") events.push(part.value);
    }
    client.close();
    if (header === undefined) throw new Error("an overlay begins with its header");
    expect(events).toHaveLength(header.parts);
    return { header, events };
  }

  async function messages(lane: Lane, after: number): Promise<{ sequence: number; event: Event }[]> {
    const all = await readAll(service.line, regionStream.lane(lane, firstEpoch));
    return all
      .filter(({ sequence }) => sequence > after)
      .map(({ sequence, data }) => ({ sequence, event: Event.decode(data) }));
  }

  /** What a replica holds that starts with this answer and then reads the lanes to their end. */
  async function replayed(answer?: { header: OverlayHeader; events: Event[] }): Promise<string> {
    const overlay = new Overlay(region);
    const after = {
      events: answer?.header.eventsSequence ?? 0,
      urgent: answer?.header.urgentSequence ?? 0,
    };
    for (const event of answer?.events ?? []) {
      overlay.applyEvent(event, { lane: "events", sequence: 0 });
    }
    for (const lane of ["urgent", "events"] as const) {
      for (const { sequence, event } of await messages(lane, after[lane])) {
        overlay.applyEvent(event, { lane, sequence });
      }
    }
    const enforced = [...overlay.enforcedAt(Date.now())].map(
      ({ id, revision, target, action }) => `${id} ${revision} ${target} ${action}`,
    );
    return JSON.stringify({
      enforced: enforced.toSorted(),
      trunks: [...overlay.trunks()].toSorted((left, right) => (left.id < right.id ? -1 : 1)),
      stopped: overlay.regionStopped,
    });
  }

  test("is for this region's screening alone", async () => {
    for (const name of ["screening.almaty", "person.astana"]) {
      const client = await service.clientOf(name);
      await expect(
        (async () => {
          await read(client.getOverlay({})).next();
        })(),
      ).rejects.toMatchObject({ code: "forbidden", field: "certificate" });
      client.close();
    }
  });

  test("is empty, and true for the beginning, while nobody has said anything", async () => {
    await until(async () => (await ask()).header.regionEpoch === firstEpoch);
    expect(await ask()).toMatchObject({ header: { urgentSequence: 0 }, events: [] });
  });

  test("holds approved, extended, withdrawn and held directives, batches, trunks and stops as the lanes do", async () => {
    const plain = await service.issue(operator, { number: "+442079460001" });
    const withdrawn = await service.issue(operator, { number: "+442079460002" });
    await service.as(operator, "revokeDirective", { id: withdrawn.id, reason: "mistake" });
    const held = await service.issue(prosecutor, {
      number: "+77011234567",
      expiresAtMs: Date.now() + 5 * dayMs,
    });
    await service.issue(prosecutor, { number: "+77011234568", expiresAtMs: Date.now() + 5 * dayMs });
    await service.approve(carrier, { directive: held.id });
    await service.as(operator, "extendDirective", { id: plain.id, expiresAtMs: Date.now() + 3 * dayMs });
    await service.issue(operator, {
      ...{ number: "+77011234569", action: "warn", scope: "region", expiresAtMs: Date.now() + hourMs },
    });
    const numbers = Array.from({ length: 1_200 }, (_, index) => `+1212${5_550_000 + index}`);
    const approved = (await service.import(operator, numbers)).at(-1)?.batch ?? "";
    await service.approve(prosecutor, { batch: approved });
    const revoked = (await service.import(operator, ["+12125560000", "+12125560001"])).at(-1)?.batch ?? "";
    await service.approve(prosecutor, { batch: revoked });
    await service.as(operator, "revokeBatch", { batch: revoked, reason: "mistake" });
    await service.import(operator, ["+12125570000"]);
    const trunk = { trunk: "intl-1", direction: "international", operator: "", sbcAddress: "sbc.example.kz" };
    await service.as(carrier, "putTrunk", trunk);
    await service.as(carrier, "setTrunkMode", { trunk: "intl-1", mode: "enforce", percent: 100 });
    await service.as(prosecutor, "setStop", { stopped: true });
    await until(async () => (await service.lane("urgent")).length === 14);
    await until(async () => (await service.lane("events")).length === 4);

    const answer = await ask();
    expect(await replayed(answer)).toBe(await replayed());
    const { enforced } = JSON.parse(await replayed(answer)) as { enforced: string[] };
    expect(enforced).toHaveLength(1_200 + 3);
    const eventsSequence = await lastOf(service.line, regionStream.lane("events", firstEpoch));
    expect(answer.header).toMatchObject({ regionEpoch: firstEpoch, eventsSequence, urgentSequence: 14 });
  });

  test("taken at any moment among commands gives, with the lanes from there on, what the lanes alone give", async () => {
    const answers: { header: OverlayHeader; events: Event[] }[] = [];
    const ended = new AbortController();
    const commands = Array.from({ length: 3 }, async (_, worker) => {
      for (let index = 0; index < 25; index += 1) {
        const issued = await service.issue(operator, { number: `+4420794${10_000 + worker * 100 + index}` });
        if (index % 3 === 0)
          await service.as(prosecutor, "revokeDirective", { id: issued.id, reason: "mistake" });
        else if (issued.state === "held") await service.approve(prosecutor, { directive: issued.id });
      }
    });
    const asking = (async () => {
      while (!ended.signal.aborted) answers.push(await ask());
    })();
    await Promise.all(commands);
    ended.abort();
    await asking;
    const { last } = await service.database
      .selectFrom("outbox_counters")
      .select("last")
      .where("lane", "=", "urgent")
      .executeTakeFirstOrThrow();
    await until(async () => (await service.lane("urgent")).length === last);
    const whole = await replayed();
    for (const answer of answers.slice(-15)) expect(await replayed(answer)).toBe(whole);
  });

  test("leaves out what the capital has decided, and keeps a withdrawn one until it has", async () => {
    const issued = await service.issue(prosecutor, { number: "+442079460101" });
    const holds = async () => {
      const { events } = await ask();
      return events.some(
        ({ body }) =>
          body?.$case === "directives" && body.value.directives.some(({ id }) => id === issued.id),
      );
    };
    expect(await holds()).toBe(true);
    await service.decide([{ directive: issued.id, decision: "accepted" }]);
    await until(async () => !(await holds()));
    await service.as(prosecutor, "revokeDirective", { id: issued.id, reason: "mistake" });
    expect(await holds()).toBe(true);
    await service.decide([{ directive: issued.id, revision: 2, decision: "revoked" }]);
    await until(async () => !(await holds()));
  });

  test("brings nothing back that was withdrawn, though its first revision comes by the lanes after it", async () => {
    const { id } = await service.issue(secondOperator, {
      ...{ number: "+77011234570", action: "warn", scope: "region", expiresAtMs: Date.now() + hourMs },
    });
    await service.as(secondOperator, "revokeDirective", { id, reason: "mistake" });
    await service.settled();
    const { events } = await ask();
    const issued = (await messages("urgent", 0)).find(
      ({ event: { body } }) =>
        body?.$case === "directives" &&
        body.value.directives.some((each) => each.id === id && each.revision === 1),
    );
    if (issued === undefined) throw new Error("what was issued is not in the lane");
    const overlay = new Overlay(region);
    for (const event of [...events, issued.event]) overlay.applyEvent(event, { lane: "events", sequence: 0 });
    expect([...overlay.enforcedAt(Date.now())].map((each) => each.id)).not.toContain(id);
  });
});
