import { afterAll, beforeAll, expect, test } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { directiveOf, directives, idOf } from "#test/coordination/directives.ts";
import { steal, until } from "#test/infra/small-nation.ts";
import { NationUnderAttack } from "./nation-under-attack.ts";

let under: NationUnderAttack;

beforeAll(async () => {
  under = await NationUnderAttack.start();
});
afterAll(async () => {
  await under?.stop();
});

test("a thief with a region's key is shut out by one command, the capital remembers it, and what was said stays", async () => {
  const said = directiveOf("astana", 1);
  await under.send("astana", "urgent", directives(said));
  await under.decided(said.id, "accepted");
  const stolen = await under.line("astana");

  await connectControl(under.nation.run.dataFolder).revoke("astana");
  await until("the thief's line is ended", () => !stolen.isOpen);
  expect((await steal(under.nation, "astana")).isOpen).toBe(false);
  await until("audit and alarms have it", async () => {
    const revoked = await under.audit("key-revoked");
    const ended = await under.audit("line-ended");
    const isThere = revoked.length === 1 && ended.some(({ region }) => region === "astana");
    return isThere && (await under.isAlarmed("key-revoked", "astana"));
  });
  await expect(under.send("astana", "urgent", directives(directiveOf("astana", 2)))).rejects.toThrow(
    "not stored",
  );
  expect(await under.last(hubStream.up("urgent", "astana", firstEpoch))).toBe(1);
  expect(await under.lastDecision(said.id)).toMatchObject({ decision: "accepted" });
  await under.send("almaty", "urgent", directives(directiveOf("almaty", 3)));
  await under.decided(idOf("almaty", 3), "accepted");
});

test("with another key the region is heard again, and the alarm is over", async () => {
  await connectControl(under.nation.run.dataFolder).rotate("astana");
  await until("the capital knows the new key", async () => (await under.audit("key-renewed")).length === 1);
  await under.send("astana", "urgent", directives(directiveOf("astana", 4)));
  await under.decided(idOf("astana", 4), "accepted");
  await until("the alarm is over", async () => !(await under.isAlarmed("key-revoked", "astana")));
});
