import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { lastOf, readAll } from "#test/replication/servers.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";

const stream = hubStream.national(firstEpoch);

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana"]);
});
afterAll(async () => {
  await capital.stop();
});

/** Gives the hub its store back as it was before something happened. */
async function withOlderHub(something: () => Promise<void>): Promise<void> {
  const storage = join(capital.folder.root, "jetstream");
  const copy = join(capital.folder.root, "jetstream.copy");
  await capital.hub.stop("SIGTERM");
  cpSync(storage, copy, { recursive: true });
  capital.hub.start();
  await something();
  await capital.hub.stop("SIGKILL");
  rmSync(storage, { recursive: true });
  renameSync(copy, storage);
  capital.hub.start();
}

test("a hub whose store came back older has the same messages again, though nothing follows them", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(async () => (await lastOf(capital.nats, stream)) > 0);
  let before: Uint8Array[] = [];
  await withOlderHub(async () => {
    const older = await lastOf(capital.nats, stream).catch(() => 0);
    await capital.send("astana", "urgent", directives(directiveOf("astana", 2)));
    await until(async () => (await lastOf(capital.nats, stream)) > older);
    before = (await readAll(capital.nats, stream)).map(({ data }) => data);
  });
  // A seal may have come to it.
  await until(async () => (await lastOf(capital.nats, stream)) >= before.length);
  const after = (await readAll(capital.nats, stream)).map(({ data }) => data).slice(0, before.length);
  expect(after.map((data) => Buffer.from(data).toString("hex"))).toEqual(
    before.map((data) => Buffer.from(data).toString("hex")),
  );
});
