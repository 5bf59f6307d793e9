import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { auditHash } from "../../services/coordination/store/audit.ts";
import { LocalSite } from "../../services/cli/backups/site.ts";
import {
  RunningNation,
  type DirectiveDocument,
  type StatisticsDocument,
  type StatusDocument,
} from "./running-nation.ts";

const regions = ["astana", "almaty"];
const sites = [capitalSite, ...regions];
const file = "test/data/ftc-do-not-call-2021-04/2021-04-18.json";

const backups = mkdtempSync(join(tmpdir(), "qalqan-backups-"));
let nation: RunningNation;

const siteOf = (name: string) => LocalSite.of(name, { data: nation.dataFolder });

beforeAll(async () => {
  nation = await RunningNation.start({ regions: regions.join(","), backups });
  // What is written from here on is in the WAL alone.
  await nation.json("backup");
  await fill();
});
afterAll(async () => {
  await nation?.[Symbol.asyncDispose]();
  rmSync(backups, { recursive: true, force: true });
});

/** Something of everything that is kept. */
async function fill(): Promise<void> {
  await issue("astana", "+447911300001");
  const revoked = await issue("almaty", "+447911300002");
  await nation.json("directive", "revoke", revoked.id, "--reason", "mistake", "--wait");
  const { batch } = await nation.json<{ batch: string }>(
    ...["import", file, "--region", "astana", "--format", "ftc-json"],
    ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d"],
  );
  await nation.json("directive", "approve", "--batch", batch, "--region", "astana", "--wait", "120");
  const piece = (region: string, audience: string, number: string) =>
    nation.json(
      ...["intelligence", "add", "--region", region, "--kind", "number", "--field", `number=${number}`],
      ...["--audience", audience, "--tlp", "amber", "--confidence", "80"],
    );
  await piece("astana", "all", "+447911300003");
  await piece("astana", "region", "+447911300004");
  await piece("almaty", "astana", "+447911300005");
  await nation.json("trunk", "mode", "intl-2", "mark", "--region", "astana");
  await nation.json("protect", "add", "+77272590001", "--from", "dom-1", "--holder", "Sample Clinic");
  await nation.json("stop", "--region", "astana");
  await nation.json("traffic", "--at", "11:00", "--seconds", "8", "--calls-per-second", "60", "--seed", "5");
}

/** Ends when every region enforces it. */
const issue = (region: string, number: string) =>
  nation.json<DirectiveDocument>(
    ...["directive", "issue", "--region", region, "--number", number, "--action", "block"],
    ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d", "--wait"],
  );

interface Picture {
  readonly tables: readonly { readonly region: string; readonly sequence: number; readonly digest: string }[];
  readonly directives: unknown;
  readonly intelligence: Readonly<Record<string, unknown>>;
  readonly trunks: unknown;
  readonly protected: unknown;
  readonly statistics: Pick<StatisticsDocument, "calls" | "byVerdict" | "byRegion" | "questions">;
}

/** What the nation is, as people see it, once nothing is under way. */
async function picture(): Promise<Picture> {
  const look = async (): Promise<Picture> => {
    const status = await nation.json<StatusDocument>("status");
    const { calls, byVerdict, byRegion, questions } = await nation.json<StatisticsDocument>(
      "statistics",
      "--since",
      "3h",
    );
    const intelligence = await Promise.all(
      regions.map(
        async (region) =>
          [region, sorted(await nation.json("intelligence", "list", "--region", region))] as const,
      ),
    );
    return {
      tables: status.regions.map(({ region, sequence, digest }) => ({ region, sequence, digest })),
      directives: sorted(
        (await nation.json<DirectiveDocument[]>("directive", "list")).map(
          ({ id, revision, state, target, action, batch }) => ({
            id,
            revision,
            state,
            target,
            action,
            batch,
          }),
        ),
      ),
      intelligence: Object.fromEntries(intelligence),
      trunks: sorted(await nation.json("trunk", "list")),
      protected: sorted(await nation.json("protect", "list")),
      statistics: { calls, byVerdict, byRegion, questions },
    };
  };
  let before = await look();
  for (;;) {
    const now = await look();
    if (JSON.stringify(now) === JSON.stringify(before)) return now;
    before = now;
  }
}

const sorted = (list: unknown): unknown =>
  Array.isArray(list) ? list.map((each) => JSON.stringify(each)).sort() : list;

async function query<Row extends pg.QueryResultRow>(site: string, text: string): Promise<Row[]> {
  const own = siteOf(site);
  const { server } = own.postgres;
  const client = new pg.Client({
    ...own.databaseAddress,
    user: server.superuser,
    password: own.password,
    database: server.database,
  });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The hashes of a site's audit, each of which was computed again from its line and the hash before it. */
async function auditOf(site: string): Promise<string[]> {
  const rows = await query<Record<string, string> & { hash: Buffer }>(
    site,
    "select * from audit order by number",
  );
  let previous: Buffer = Buffer.alloc(32);
  return rows.map((row) => {
    const atMs = Number(row["at_ms"]);
    const { actor = "", person, role, region = "", what, subject, detail } = row;
    const expected =
      site === capitalSite
        ? auditHash(previous, {
            number: Number(row["number"]),
            atMs,
            actor,
            role: role ?? "",
            region,
            what: what ?? "",
            detail: detail ?? "",
          })
        : createHash("sha256")
            .update(previous)
            .update(JSON.stringify([atMs, person, role, what, subject, detail]))
            .digest();
    expect(row.hash.toString("hex")).toBe(expected.toString("hex"));
    previous = row.hash;
    return previous.toString("hex");
  });
}

/** Ends the current segment of WAL and waits until it is archived: as the five minutes of `archive_timeout` would. */
async function archiveNow(site: string): Promise<void> {
  const [row] = await query<{ segment: string }>(site, "select pg_walfile_name(pg_switch_wal()) as segment");
  await expect
    .poll(() => existsSync(join(siteOf(site).archive ?? "", "wal", row?.segment ?? "")), { timeout: 30_000 })
    .toBe(true);
}

/** All of a site dies at once, and its disks with it. */
async function destroy(site: string): Promise<void> {
  const control = connectControl(nation.dataFolder);
  const { services } = await control.status();
  const own = services.filter(({ region }) => region === site);
  for (const { service } of own) await control.kill(site, service);
  await Promise.all(own.map(({ service }) => control.stopService(site, service)));
  for (const path of [siteOf(site).database, ...siteOf(site).otherStorage]) rmSync(path, { recursive: true });
}

async function auditsOf(): Promise<Record<string, string[]>> {
  return Object.fromEntries(
    await Promise.all(sites.map(async (site) => [site, await auditOf(site)] as const)),
  );
}

/** What was in the audit before is there, unbroken; what came to it is named after it. */
function expectAudits(after: Record<string, string[]>, before: Record<string, string[]>): void {
  for (const site of sites) expect(after[site]?.slice(0, before[site]?.length)).toEqual(before[site]);
}

test.each([
  ["a region", ["rebuild", "region", "astana"], "astana"],
  ["the capital", ["rebuild", "capital"], capitalSite],
])("%s whose disks are lost is rebuilt: everything is as it was before", async (_, command, site) => {
  const before = await picture();
  const audits = await auditsOf();
  expect(before.statistics.calls).toBeGreaterThan(100);
  await archiveNow(site);
  await destroy(site);
  const rebuilt = await nation.json<{ runsMs: number; inSyncMs: number; segments: number }>(
    ...command,
    "--yes",
  );
  expect(rebuilt.segments).toBeGreaterThan(0);
  process.stderr.write(
    `${command.join(" ")}: runs after ${rebuilt.runsMs} ms, in sync after ${rebuilt.inSyncMs} ms\n`,
  );
  expect(await picture()).toEqual(before);
  expectAudits(await auditsOf(), audits);
  const status = await nation.json<StatusDocument>("status");
  expect(status.regions.map(({ state }) => state)).toEqual(regions.map(() => "in-sync"));
  // The region's new lanes outlive what happens to the capital after it.
  expect(status.regions.find(({ region }) => region === "astana")?.epoch).toBe(2);
  const { receipts } = await issue("astana", site === capitalSite ? "+447911300007" : "+447911300006");
  expect(receipts.map(({ state }) => state)).toEqual(regions.map(() => "enforced"));
});
