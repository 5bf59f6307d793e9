import { renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { KeptDatabase } from "./database-under-test.ts";

let kept: KeptDatabase;
beforeEach(async () => {
  kept = await KeptDatabase.start();
});
afterEach(async () => {
  await kept.stop();
});

/** As a cluster replaces a mounted file: whole, under its name. */
function writePassword(password: string): void {
  writeFileSync(`${kept.passwordFile}.new`, password);
  renameSync(`${kept.passwordFile}.new`, kept.passwordFile);
}

const ready = async () => (await kept.readiness()).ready;

test("the role gets the password of the file, and the next one when the file changes", async () => {
  await kept.query("alter role qalqan password null");
  kept.keeper.start();
  await until(ready);
  expect(await kept.letsIn("the-first-password")).toBe(true);

  writePassword("another-password");
  await until(() => kept.letsIn("another-password"));
  expect(await kept.letsIn("the-first-password")).toBe(false);
  await until(async () => (await kept.readiness()).why === "the database answers");
  expect(await ready()).toBe(true);

  await kept.keeper.stop("SIGKILL");
  writePassword("a-third-password");
  kept.keeper.start();
  await until(() => kept.letsIn("a-third-password"));
  await until(() => kept.events("password-set").length >= 3);
  expect(kept.events("password-set")).toHaveLength(3);
  // Neither the keeper nor the server has written one of them anywhere.
  expect(kept.keeperLog() + kept.postgresLog()).not.toMatch(/(?:first|another|third)-password/);
});

test("a password with which a login works already is left as it is", async () => {
  const secret = async () => kept.query("select rolpassword from pg_authid where rolname = 'qalqan'");
  const before = await secret();
  kept.keeper.start();
  await until(ready);
  expect(await secret()).toEqual(before);
  expect(kept.events("password-set")).toEqual([]);
});

test("a file that holds no password changes nothing, and is named", async () => {
  kept.keeper.start();
  await until(ready);
  for (const content of ["", "short", "with a\nline", "құпия-сөз-емес"]) {
    writePassword(content);
    await until(async () => (await kept.readiness()).why.includes("password file"));
    expect(await ready()).toBe(true);
    writePassword("the-first-password");
    await until(async () => (await kept.readiness()).why === "the database answers");
  }
  expect(await kept.letsIn("the-first-password")).toBe(true);
});

test("the database is ready while it answers, and no longer", async () => {
  kept.keeper.start();
  await until(ready);
  process.kill(kept.postgres.pid, "SIGSTOP");
  // The postmaster alone stands still: sessions that are open go on, and nobody new is let in.
  await until(async () => !(await ready()));
  process.kill(kept.postgres.pid, "SIGCONT");
  await until(ready);
  const everybody = async () => {
    for (;;) await kept.connect();
  };
  await expect(everybody()).rejects.toThrow("too many clients");
  await sleep(2_500);
  expect(await ready()).toBe(true);
  await kept.postgres.stop("SIGKILL");
  await until(async () => !(await ready()));
  expect(await kept.readiness()).toEqual({ ready: false, why: "the database does not answer" });
  await kept.startPostgres();
  await until(ready);
  expect(await kept.keeper.stop("SIGTERM")).toBe(0);
});
