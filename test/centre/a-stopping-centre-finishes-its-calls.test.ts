import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sql } from "#platform/database.ts";
import { read, RemoteError } from "#platform/grpc-client.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import { until } from "#test/replication/servers.ts";
import { CentreService, dayMs, issueRequest, operator } from "./centre-service.ts";

let service: CentreService;
beforeEach(async () => {
  service = await CentreService.start();
});
afterEach(async () => {
  await service.stop();
});

const numbers = ["+442079460001", "+442079460002"] as const;

/** Nothing can be written until the function that comes back is called. */
async function holdWrites(): Promise<() => Promise<unknown>> {
  const transaction = await service.database.startTransaction().execute();
  await sql`lock table directives in exclusive mode`.execute(transaction);
  return () => transaction.rollback().execute();
}

/** One waits for the table, the next for the first. */
const waitingWrites = async () => {
  const { rows } = await sql<{ waiting: number }>`
    select count(*) as waiting from pg_locks where not granted
  `.execute(service.database);
  return rows[0]?.waiting ?? 0;
};

test("after SIGTERM the calls under way are finished and answered, by gRPC and by HTTP", async () => {
  const letGo = await holdWrites();
  const issued = service.issue(operator, issueRequest({ number: numbers[0] }));
  const posted = fetch(`http://${service.httpAddress}/v1/directives`, {
    method: "POST",
    headers: { authorization: await service.token(operator), "content-type": "application/json" },
    body: JSON.stringify({
      ...{ number: numbers[1], action: "block", basis: "communications-law-41-1", reason: "fraud" },
      expiresAtMs: Date.now() + dayMs,
    }),
  });
  await until(async () => (await waitingWrites()) === 2);
  const exit = service.centre.stop("SIGTERM");
  await sleep(500);
  await letGo();
  expect((await issued).state).toBe("regional");
  expect((await posted).status).toBe(201);
  expect(await exit).toBe(0);
  const { rows } = await sql<{ target: string }>`select target from directives order by target`.execute(
    service.database,
  );
  expect(rows.map(({ target }) => target)).toEqual(numbers);
});

test("whoever watches is told at once that this replica stops, so that he asks again", async () => {
  const { id } = await service.issue(operator, issueRequest({ number: numbers[0] }));
  const views = read<DirectiveView>(service.client.watchDirective({ id }, await service.metadata(operator)));
  expect((await views.next()).value).toMatchObject({ id });
  const beganMs = Date.now();
  const exit = service.centre.stop("SIGTERM");
  const ended = (async () => {
    for await (const view of views) expect(view.id).toBe(id);
  })();
  const error = await ended.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RemoteError);
  expect(error).toMatchObject({ code: "unavailable", message: "this replica stops" });
  expect(await exit).toBe(0);
  // Nobody had to be thrown out at the end of the time for draining.
  expect(Date.now() - beganMs).toBeLessThan(5_000);
  expect(service.servers.log("centre")).not.toContain("did not close");
});
