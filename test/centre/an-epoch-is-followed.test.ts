import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendAt } from "#platform/append.ts";
import { read } from "#platform/grpc-client.ts";
import { ensureStream, laneStream } from "#platform/streams.ts";
import { firstEpoch, lanes, refeedToken, regionStream, regionSubject, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { lastOf, readAll, until } from "#test/replication/servers.ts";
import { CentreService, operator, prosecutor } from "./centre-service.ts";

/**
 * The region's lanes go on in another epoch, because their store or the hub's
 * came from an older copy: the centre goes on there by itself, with everything
 * that either end has, and nothing twice.
 */
describe("a centre whose lanes go on in another epoch", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  /** As replication: the lanes of an epoch, with what is fed again into the urgent one. */
  async function open(epoch: number, refed: readonly { type: string; data: Uint8Array }[]): Promise<void> {
    const manager = await service.line.jetstreamManager({ checkAPI: false });
    for (const lane of lanes) {
      await ensureStream(manager, laneStream(lane, epoch));
      const own = lane === "urgent" ? refed : [];
      for (const [index, { type, data }] of own.entries()) {
        const subject = regionSubject.inLane(lane, epoch, `${refeedToken}.centre.${type}`);
        await appendAt(service.line, subject, index + 1, data);
      }
      const used = Math.max(0, ...own.map(({ data }) => Event.decode(data).outbox));
      const producers = [{ producer: "centre", outbox: used }];
      const value = {
        ...{ lane, epoch, previousEpoch: epoch - 1, common: 0, hubLast: 0, regionLast: 0 },
        ...{ producers, why: "store-lost", atMs: Date.now() },
      };
      const opened = Event.encode({ outbox: 1, atMs: Date.now(), body: { $case: "epochOpened", value } });
      const subject = regionSubject.lane(lane, epoch, "replication", "epochOpened");
      await appendAt(service.line, subject, own.length + 1, opened.finish());
    }
  }

  async function ownMessages(lane: Lane, epoch: number) {
    const messages = await readAll(service.line, regionStream.lane(lane, epoch));
    const own = regionSubject.laneOfProducer(lane, epoch, "centre").slice(0, -1);
    return messages.filter(({ subject }) => subject.startsWith(own));
  }

  /** The targets of the directives that this centre has sent in an epoch itself. */
  async function sentIn(epoch: number): Promise<string[]> {
    const messages = await ownMessages("urgent", epoch);
    return messages.flatMap(({ data }) => {
      const { body } = Event.decode(data);
      return body?.$case === "directives" ? body.value.directives.map(({ target }) => target) : [];
    });
  }

  async function overlayHeader() {
    const client = await service.clientOf("screening.astana");
    try {
      for await (const { part } of read(client.getOverlay({}))) {
        if (part?.$case === "header") return part.value;
      }
    } finally {
      client.close();
    }
    throw new Error("an overlay begins with its header");
  }

  test("sends there what both ends lack, after the numbers that were used", async () => {
    await service.issue(operator, { number: "+442071000001" });
    await service.issue(operator, { number: "+442071000002" });
    await service.issue(operator, { number: "+442071000003" });
    await service.settled();
    const kept = await ownMessages("urgent", firstEpoch);

    // The store is lost; the hub had all but the last event.
    await service.loseStore();
    const refed = kept.slice(0, 2).map(({ data }) => ({ type: "directives", data }));
    await open(firstEpoch + 1, refed);
    const fresh = await service.issue(operator, { number: "+442071000004" });
    await until(async () => (await sentIn(firstEpoch + 1)).length === 2);

    expect(await sentIn(firstEpoch + 1)).toEqual(["+442071000003", "+442071000004"]);
    const sent = await ownMessages("urgent", firstEpoch + 1);
    expect(sent.map(({ data }) => Event.decode(data).outbox)).toEqual([3, 4]);
    expect((await service.view(fresh.id)).state).toBe("regional");
    await until(async () => (await overlayHeader()).regionEpoch === firstEpoch + 1);
    expect(await overlayHeader()).toMatchObject({
      urgentSequence: await lastOf(service.line, regionStream.lane("urgent", firstEpoch + 1)),
    });
  });

  test("takes back what was fed again and its database does not have", async () => {
    await service.settled();
    await service.copyDatabase("before");
    const lost = await service.issue(prosecutor, { number: "+442071000005" });
    await service.settled();
    const last = (await ownMessages("urgent", firstEpoch + 1)).slice(-1);

    // Both are older: the database by one directive, the store by all of it.
    await service.loseStore();
    await service.restoreDatabase("before");
    await expect(service.view(lost.id)).rejects.toMatchObject({ code: "unavailable" });
    await open(
      firstEpoch + 2,
      last.map(({ data }) => ({ type: "directives", data })),
    );
    await until(async () => (await service.view(lost.id)).state === "regional");
    expect(await sentIn(firstEpoch + 2)).not.toContain("+442071000005");
    await service.issue(operator, { number: "+442071000006" });
    await until(async () => (await sentIn(firstEpoch + 2)).includes("+442071000006"));
  });
});
