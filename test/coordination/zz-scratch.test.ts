import { test } from "vitest";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { approvalOf, directiveOf, directives, idOf, memberOf } from "./directives.ts";
import { lastOf } from "#test/replication/servers.ts";

import { writeFileSync } from "node:fs";
import { execSync } from "node:child_process";
function cpu(): string {
  const lines = execSync("ps -eo pid,ppid,cputimes,args")
    .toString()
    .split("\n")
    .map((l) => l.trim().split(/\s+/));
  const me = String(process.pid);
  const coord = lines.filter((l) => l[1] === me && l.join(" ").includes("services/coordination"));
  const post = lines.filter((l) => l[1] === me && l.join(" ").includes("postgres -D"));
  const kids = lines.filter((l) => post.some((p) => p[0] === l[1]));
  const nats = lines.filter((l) => l[1] === me && l.join(" ").includes("nats-server"));
  const sum = (x: string[][]) => x.reduce((a, l) => a + Number(l[2]), 0);
  return `cpu s: coordination ${sum(coord)} postgres ${sum(post) + sum(kids)} nats ${sum(nats)} load ${execSync("cat /proc/loadavg").toString().trim()}`;
}
test("scratch", async () => {
  const capital = await CapitalUnderTest.start(["astana", "almaty", "mangystau"], {
    LOG_LEVEL: process.env["LL"] ?? "info",
    NODE_OPTIONS: process.env["PROF"] === undefined ? "" : "--cpu-prof --cpu-prof-dir=/tmp/coordbench",
  });
  try {
    if (process.env["PGLOG"] !== undefined) {
      await capital.query("alter system set log_min_duration_statement = 0");
      await capital.query("select pg_reload_conf()");
    }
    const lat: number[] = [];
    const sub = capital.nats.subscribe("live.national.1.>");
    const arrivals: ((n: number) => void)[] = [];
    void (async () => {
      for await (const _ of sub) arrivals.shift()?.(performance.now());
    })();
    for (let i = 0; i < Number(process.env["SINGLES"] ?? 300); i++) {
      const arrived = new Promise<number>((r) => arrivals.push(r));
      await capital.send(
        i % 2 ? "astana" : "almaty",
        "urgent",
        directives(directiveOf(i % 2 ? "astana" : "almaty", 100_000 + i)),
      );
      const t1 = performance.now();
      lat.push((await arrived) - t1);
      await new Promise((r) => setTimeout(r, 5));
    }
    lat.sort((a, b) => a - b);
    console.log(cpu(), "latency after ack p50", lat[150], "p90", lat[270], "p99", lat[297]);
    if (process.env["ONLY"] !== undefined) {
      writeFileSync("/tmp/coordbench/coord.log", capital.log());
      return;
    }
    const batch = idOf("astana", 900_000);
    let t = performance.now();
    for (let k = 0; k < 76; k++) {
      await capital.send(
        "astana",
        "events",
        directives(
          ...Array.from({ length: 1000 }, (_, j) => memberOf("astana", batch, 200_000 + k * 1000 + j)),
        ),
      );
    }
    console.log(cpu(), "sent", performance.now() - t);
    await until(
      async () =>
        (await capital.query<{ n: string }>("select count(*) as n from opinion where batch <> ''"))[0]?.n ===
        "76000",
      60_000,
    );
    console.log(cpu(), "taken in", performance.now() - t);
    t = performance.now();
    const before = await lastOf(capital.nats, "NATIONAL_1");
    await capital.send("astana", "events", { $case: "approval", value: approvalOf("astana", { batch }) });
    const over: number[] = [];
    for (let i = 0; i < 10; i++) {
      await new Promise((r) => setTimeout(r, 200));
      const id = directiveOf("almaty", 300_000 + i);
      const t0 = performance.now();
      await capital.send("almaty", "urgent", directives(id));
      await until(
        async () => (await capital.query(`select 1 from decision where directive = '${id.id}'`)).length === 1,
        5000,
      );
      over.push(performance.now() - t0);
    }
    await until(async () => (await lastOf(capital.nats, "NATIONAL_1")) >= before + 76, 60_000);
    await until(async () => (await capital.query("select 1 from refold_job")).length === 0, 60_000);
    console.log(
      cpu(),
      "approved and folded",
      performance.now() - t,
      "overtaking (50ms poll)",
      over.map(Math.round).join(" "),
    );
    t = performance.now();
    const { table } = await capital.national();
    console.log("verified", table.size, performance.now() - t);
    t = performance.now();
    await capital.coordination.stop(process.env["PROF"] === undefined ? "SIGKILL" : "SIGTERM");
    if (process.env["PROF"] !== undefined) return;
    capital.coordination.start();
    await capital.ready();
    console.log("restart to ready", performance.now() - t);
    t = performance.now();
    const b2 = await lastOf(capital.nats, "NATIONAL_1");
    await capital.send("astana", "urgent", {
      $case: "batchRevocation",
      value: { batch, person: "p", role: "regional-prosecutor", reason: "mistake", atMs: Date.now() },
    });
    await until(async () => (await lastOf(capital.nats, "NATIONAL_1")) >= b2 + 77, 60_000);
    console.log(cpu(), "revoked", performance.now() - t);
    console.log((await capital.national()).table.size);
    const sizes = await capital.query(
      "select relname, pg_size_pretty(pg_total_relation_size(oid)) from pg_class where relkind='r' and relnamespace='public'::regnamespace order by pg_total_relation_size(oid) desc limit 6",
    );
    console.log(JSON.stringify(sizes));
    console.log(capital.log().split("\n").slice(-5).join("\n"));
  } finally {
    if (process.env["PGLOG"] !== undefined) writeFileSync("/tmp/coordbench/pg.log", capital.log("postgres"));
    await capital.stop();
  }
}, 300_000);
