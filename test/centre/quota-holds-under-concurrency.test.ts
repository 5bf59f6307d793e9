import { afterAll, beforeAll, expect, test } from "vitest";
import { CentreService, operator, prosecutor, secondOperator } from "./centre-service.ts";

let service: CentreService;
beforeAll(async () => {
  service = await CentreService.start();
});
afterAll(() => service.stop());

test("sixty issues of one operator side by side leave exactly fifty targets decided alone", async () => {
  const views = await Promise.all(
    Array.from({ length: 60 }, (_, index) => service.issue(operator, { number: `+4420794600${index + 10}` })),
  );
  expect(views.filter(({ state }) => state === "regional")).toHaveLength(50);
  const held = views.filter(({ state }) => state === "held");
  expect(held).toHaveLength(10);
  expect(held.every(({ missing }) => missing.includes("second-person"))).toBe(true);
  expect(await service.as(operator, "getQuota", { person: "" })).toEqual({ targetsLeft: 0 });
  const { directive } = await service.approve(prosecutor, { directive: held[0]?.id ?? "" });
  expect(directive).toMatchObject({ state: "regional" });
});

test("a look at another's quota is in the audit", async () => {
  expect(await service.as(prosecutor, "getQuota", { person: secondOperator.id })).toEqual({
    targetsLeft: 50,
  });
  const rows = await service.database
    .selectFrom("audit")
    .selectAll()
    .where("what", "=", "quota-read")
    .execute();
  expect(rows).toMatchObject([{ person: prosecutor.id, subject: secondOperator.id }]);
});
