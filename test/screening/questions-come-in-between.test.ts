import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Overlay } from "#domain/overlay.ts";
import { firstEpoch, hubSubject } from "#proto/names.ts";
import { Directive } from "#proto/qalqan/events/v1/events.ts";
import { testLog, until } from "#test/replication/servers.ts";
import { NationalConsumer } from "../../services/screening/consumers/national.ts";
import { followEpochs } from "../../services/screening/consumers/region-epochs.ts";
import { Enforcement } from "../../services/screening/enforcement.ts";
import { entry, ScreenedRegion } from "./screening-service.ts";

const messages = 8;
const rowsOfMessage = 400;

describe("while a replica applies much that is there together", () => {
  let region: ScreenedRegion;
  let enforcement: Enforcement;
  /** Messages that were applied in the turn of another one. */
  let together = 0;
  const ended = new AbortController();

  beforeAll(async () => {
    region = await ScreenedRegion.start();
  });
  afterAll(async () => {
    ended.abort();
    await region.stop();
  });

  function watched(): Enforcement {
    const made = new Enforcement(region.nation.region, testLog, () => undefined);
    [enforcement, together] = [made, 0];
    let isTaken = false;
    const note = () => {
      together += isTaken ? 1 : 0;
      isTaken = true;
      setImmediate(() => (isTaken = false));
    };
    const [applyEvent, applyNational] = [made.applyEvent.bind(made), made.applyNational.bind(made)];
    made.applyEvent = (lane, message, event) => {
      if (event.body?.$case === "directives") note();
      applyEvent(lane, message, event);
    };
    made.applyNational = (batch) => {
      note();
      return applyNational(batch);
    };
    return made;
  }

  const numberOf = (message: number, row: number) => `+4420${String(79_000_000 + message * 1_000 + row)}`;

  test("questions come in between the messages of an import", async () => {
    for (let message = 0; message < messages; message += 1) {
      const directives = Array.from({ length: rowsOfMessage }, (_, row) =>
        Directive.fromPartial({
          ...{
            id: `astana-${message * 1_000 + row}`,
            revision: 1,
            target: numberOf(message, row),
            action: "warn",
          },
          ...{ scope: "nation", reason: "fraud", batch: "astana-batch", expiresAtMs: Date.now() + 3_600_000 },
        }),
      );
      await region.write("events", { $case: "directives", value: { directives } });
    }
    const load = async (epoch: number) =>
      watching.replaceOverlay(new Overlay(region.nation.region), epoch, {
        events: undefined,
        urgent: undefined,
      });
    const watching = watched();
    const connection = await region.nation.connect("screening");
    void followEpochs(connection, watching, () => undefined, load, testLog, ended.signal);
    await until(() => enforcement.overlay.size === messages * rowsOfMessage);
    expect(together).toBe(0);
  });

  test("questions come in between the nation's messages that waited for an earlier one", async () => {
    await region.replication.stop("SIGKILL");
    const rows = (message: number) =>
      Array.from({ length: rowsOfMessage }, (_, row) =>
        entry(numberOf(message, row), "block", `almaty-${message}-${row}`),
      );
    await region.publish({ rows: rows(0) });
    const connection = await region.nation.connect("screening");
    void new NationalConsumer(connection, watched(), testLog).run(ended.signal);
    let live = 0;
    const all = hubSubject.live(hubSubject.nationalAll(firstEpoch));
    connection.subscribe(all, { callback: () => (live += 1) });
    let isHeard = false;
    connection.subscribe(hubSubject.heartbeat, { callback: () => (isHeard = true) });
    await until(() => {
      region.heartbeat();
      return isHeard;
    });
    for (let message = 1; message < messages; message += 1) await region.publish({ rows: rows(message) });
    await until(() => live === messages - 1);
    expect(enforcement.table.sequence).toBe(0);
    region.replication.start();
    await until(() => enforcement.table.sequence === messages);
    expect(together).toBe(0);
  });
});
