import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillSmallDisk, isSmallDisk, moveToSmallDisk, whyNoSmallDisk } from "#infra/local/small-disk.ts";
import { RemoteError } from "#platform/grpc-client.ts";
import { firstEpoch, regionStream } from "#proto/names.ts";
import { lastOf, until } from "#test/replication/servers.ts";
import { CentreService, operator, prosecutor } from "./centre-service.ts";

const impossible = whyNoSmallDisk();

describe.skipIf(impossible !== "")(
  `a centre whose region's NATS has no room on its disk ${impossible}`,
  () => {
    let service: CentreService;
    let store = "";

    beforeAll(async () => {
      // About a hundred directives may wait, and as a reserve what ends a dozen of them.
      service = await CentreService.start({}, undefined, { OUTBOX_WAITING_BYTES_MAX: "40000" });
      store = join(service.servers.folder, "region-jetstream");
      await service.servers.regional.stop("SIGTERM");
      await moveToSmallDisk(store);
      service.servers.regional.start();
      await until(async () => (await lastOf(service.line, regionStream.lane("urgent", firstEpoch))) >= 0);
    });
    afterAll(async () => {
      await service.servers.regional.stop("SIGKILL");
      if (isSmallDisk(store)) execFileSync("umount", [store]);
      await service.stop();
    });

    const numbers = (place: number) =>
      Array.from({ length: 50 }, (_, index) => `+1212${5_000_000 + 50 * place + index}`);
    const isSound = async () =>
      (await fetch(`http://${service.servers.ports.address("region/monitor")}/healthz`)).ok;

    /** Repeats until it is refused; what was acknowledged before that. */
    async function untilRefused<Answer>(
      ask: (index: number) => Promise<Answer>,
      most: number,
    ): Promise<Answer[]> {
      const acknowledged: Answer[] = [];
      while (acknowledged.length < most) {
        try {
          acknowledged.push(await ask(acknowledged.length));
        } catch (error) {
          if (error instanceof RemoteError && error.code === "exhausted") return acknowledged;
          throw error;
        }
      }
      throw new Error(`${most} were taken, and there should be no room`);
    }

    test("takes what it can keep, then refuses; with room again everything acknowledged is in the lane once", async () => {
      const before = await service.issue(prosecutor, { number: "+442071000000" });
      await service.settled();
      fillSmallDisk(store);

      const issued = await untilRefused(
        (index) => service.issue(prosecutor, { number: `+44207100${1_000 + index}` }),
        500,
      );
      expect(issued.length).toBeGreaterThan(20);
      const imported = await untilRefused((index) => service.import(operator, numbers(index)), 20);
      expect(imported.length).toBeGreaterThan(0);
      // The reserve is for whatever sets people free.
      await service.as(prosecutor, "revokeDirective", { id: before.id, reason: "mistake" });
      await service.as(prosecutor, "setStop", { stopped: true });
      const revoked = await untilRefused(async (index) => {
        const id = issued[index]?.id ?? "";
        await service.as(prosecutor, "revokeDirective", { id, reason: "mistake" });
        return id;
      }, issued.length);
      expect(revoked.length).toBeGreaterThan(3);

      rmSync(join(store, "ballast"));
      // A stream that could not be written takes nothing until its server is started again (nats-server 2.15.1).
      expect(await isSound()).toBe(false);
      await service.servers.regional.killAndRestart();
      await service.settled();
      const events = await service.lane("urgent");
      const bodies = events.flatMap(({ body }) => (body === undefined ? [] : [body]));
      const directives = bodies.flatMap((body) => (body.$case === "directives" ? body.value.directives : []));
      const said = (isRevoked: boolean) =>
        directives.filter((each) => each.revoked === isRevoked).map(({ id }) => id);
      expect(said(false)).toEqual([before, ...issued].map(({ id }) => id));
      expect(said(true)).toEqual([before.id, ...revoked]);
      expect(bodies.filter(({ $case }) => $case === "regionStop")).toHaveLength(1);
      await until(async () => {
        await service.issue(prosecutor, { number: "+442071009999" });
        return true;
      });
      // Each lane is looked at in its turn: the other one may still be known as full.
      await until(async () => (await service.import(operator, numbers(100))).at(-1)?.done === true);
      await service.settled();
      expect(await service.lane("events")).toHaveLength(imported.length + 1);
    });
  },
);
