import { afterEach, beforeEach, expect, test } from "vitest";
import { SealKeys } from "#domain/seal.ts";
import { streamRange } from "#platform/batch-get.ts";
import { openDatabase, type Kysely } from "#platform/database.ts";
import { firstEpoch, hubStream, streamAsk } from "#proto/names.ts";
import { testLog } from "#test/replication/servers.ts";
import { assertNotOlder } from "../../services/coordination/regions-heard.ts";
import { Lead, LeaderReplaced } from "../../services/coordination/store/lead.ts";
import { migrations } from "../../services/coordination/store/migrations.ts";
import { recoverForRegion } from "../../services/coordination/store/recover-national.ts";
import { trimHub } from "../../services/coordination/trim-hub.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";

let capital: CapitalUnderTest;
let database: Kysely<unknown>;
beforeEach(async () => {
  capital = await CapitalUnderTest.start(["astana"]);
  const { signal } = new AbortController();
  database = await openDatabase<unknown>(capital.database, migrations, testLog, signal);
});
afterEach(async () => {
  await database.destroy();
  await capital.stop();
});

test("a leader that was replaced takes nothing from the hub, neither into PostgreSQL nor away", async () => {
  const stream = hubStream.forRegion("astana", firstEpoch);
  const range = () => streamRange(capital.nats, streamAsk.info(stream));
  await until(async () => (await range()).last > 0);
  await capital.coordination.stop("SIGTERM");
  // As after PostgreSQL came back from a copy that is older than the nation.
  await capital.query("delete from region_log");
  await capital.query("update region_state set for_sequence = 0");
  await capital.query("update national_state set timeline = null");
  const { last } = await range();

  const former = await Lead.take(database);
  const next = await Lead.take(database);
  const { signal } = new AbortController();
  const recover = (lead: Lead) => recoverForRegion(database, capital.nats, lead, "astana", 0);
  const trim = (lead: Lead) => trimHub({ connection: capital.nats, database, lead }, stream, last);
  const chain = { epoch: firstEpoch, keys: new SealKeys({}), keyId: "" };
  const hear = (lead: Lead) =>
    assertNotOlder({ database, connection: capital.nats, lead, revoked: new Set() }, 0, chain, signal);
  for (const late of [recover, trim, hear]) await expect(late(former)).rejects.toThrow(LeaderReplaced);
  expect(await capital.query("select * from region_log")).toEqual([]);
  expect(await capital.query("select timeline from national_state")).toEqual([{ timeline: null }]);
  expect(await range()).toMatchObject({ first: 1, last });

  expect(await recover(next)).toBe(last);
  await trim(next);
  expect((await range()).first).toBe(last + 1);
});
