import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";

const stream = hubStream.up("urgent", "astana", firstEpoch);
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana"]);
});
afterAll(() => capital.stop());

const alarms = async () =>
  (await capital.page()).alarms.filter(({ subject }) => subject === stream).map(({ code }) => code);

test("a stream of the hub that fills up is on the page at 80 % and at its limit", async () => {
  const manager = await capital.nats.jetstreamManager();
  const { config } = await manager.streams.info(stream);
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  const { state } = await manager.streams.info(stream);
  await manager.streams.update(stream, { ...config, max_bytes: Math.ceil(10.05 * state.bytes) });
  for (let index = 2; index <= 9; index += 1)
    await capital.send("astana", "urgent", directives(directiveOf("astana", index)));
  await until(async () => (await alarms()).length > 0);
  expect(await alarms()).toEqual(["stream-nearly-full"]);
  await capital.send("astana", "urgent", directives(directiveOf("astana", 10)));
  await until(async () => (await alarms()).includes("stream-full"));
  expect(await alarms()).toEqual(["stream-full"]);
  await expect(capital.send("astana", "urgent", directives(directiveOf("astana", 11)))).rejects.toThrow(
    /maximum bytes/,
  );

  await manager.streams.update(stream, config);
  await until(async () => (await alarms()).length === 0);
});
