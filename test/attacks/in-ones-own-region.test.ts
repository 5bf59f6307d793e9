import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubSubject, regionStream, regionSubject } from "#proto/names.ts";
import { connectAs, startServers, temporaryFolder, until } from "#test/infra/small-nation.ts";
import { lastOf, readAll } from "#test/replication/servers.ts";
import { attack } from "./list.ts";

const folder = temporaryFolder();
let nation: Awaited<ReturnType<typeof startServers>>;

beforeAll(async () => {
  nation = await startServers(folder.path, ["astana"]);
});
afterAll(async () => {
  await nation?.stop();
  folder[Symbol.dispose]();
});

test(`tried: ${attack("national-in-ones-own-region")}`, async () => {
  await using replication = await connectAs(nation, "astana", "replication");
  await using centre = await connectAs(nation, "astana", "centre");
  const manager = await replication.jetstreamManager();
  const name = regionStream.national(firstEpoch);
  await manager.streams.add({ name, subjects: [regionSubject.nationalAll(firstEpoch)], allow_direct: true });
  await replication.request(regionSubject.national(firstEpoch), "forged", { timeout: 15_000 });
  expect(await lastOf(replication, name)).toBe(1);
  // No other key of the region can, and the live messages of the capital nobody there may say.
  await expect(
    centre.request(regionSubject.national(firstEpoch), "forged", { timeout: 15_000 }),
  ).rejects.toThrow(/Permissions Violation/);
  for (const connection of [replication, centre])
    await expect(
      connection.request(hubSubject.live(hubSubject.national(firstEpoch)), "forged", { timeout: 15_000 }),
    ).rejects.toThrow(/Permissions Violation/);
});

test(`tried: ${attack("reply-subject-in-ones-own-region")}`, async () => {
  await using replication = await connectAs(nation, "astana", "replication");
  await using screening = await connectAs(nation, "astana", "screening");
  const manager = await replication.jetstreamManager();
  const name = regionStream.lane("urgent", firstEpoch);
  await manager.streams.add({
    name,
    subjects: [regionSubject.laneAll("urgent", firstEpoch)],
    allow_direct: true,
  });
  const reply = regionSubject.lane("urgent", firstEpoch, "centre", "directives");
  screening.publish(`$JS.API.STREAM.INFO.${name}`, "", { reply });
  await screening.flush();
  await until("the server has written its answer", async () => (await lastOf(replication, name)) === 1);
  const [message] = await readAll(replication, name);
  // The bytes are the server's answer, which is no event: nothing is enforced by it, and the capital refuses it by name.
  expect(new TextDecoder().decode(message?.data)).toContain("io.nats.jetstream.api.v1.stream_info_response");
});
