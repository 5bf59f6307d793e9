import { expect, test } from "vitest";
import { alarmedNation, ordinaryNation } from "./given-nation.ts";
import { OpenPage, useBrowser } from "./open-page.ts";

useBrowser();

test("where nothing needs to be looked at, nothing is said; an alarm appears when the capital says so, and goes", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation() });
  const { page, capital } = open;
  await page.getByText("20 of 20 regions in sync").waitFor();
  const alarms = page.getByRole("region", { name: /Needs somebody to look at it/ });
  expect(await alarms.count()).toBe(0);
  capital.tell(alarmedNation());
  await alarms.waitFor();
  capital.tell(ordinaryNation());
  await alarms.waitFor({ state: "detached" });
});

test("an alarm says in words what it is, where, about what, since when, and what to do", async () => {
  const nation = alarmedNation();
  await using open = await OpenPage.open({ nation });
  const items = open.page.getByRole("region", { name: /Needs somebody/ }).getByRole("listitem");
  await items.first().waitFor();
  expect(await items.count()).toBe(4);
  const names = nation.regions.map(({ names: { en } }) => en);
  const revoked = await items.nth(0).innerText();
  expect(revoked).toMatch(/^A key is revoked: the capital/);
  expect(revoked).toContain(names[0]);
  expect(revoked).toContain(`npx qalqan region rotate ${nation.regions[0]?.region}`);
  expect(revoked).toMatch(/since .*\(26 min/);
  expect(await items.nth(1).innerText()).toContain("A new epoch was opened");
  // Only a command of ours that mends is shown as one.
  expect(await items.nth(2).innerText()).not.toContain("npx");
  expect(await items.nth(3).innerText()).toMatch(
    /^of-a-newer-release[\s\S]*A sentence of the service itself\./,
  );
});

test("a region in another epoch than the first says so, in the table and alone", async () => {
  const nation = alarmedNation();
  const other = nation.regions[1]?.names.en ?? "";
  await using open = await OpenPage.open({ nation });
  const { page } = open;
  await page.getByRole("row", { name: new RegExp(`${other} epoch 2`) }).waitFor();
  await page.getByRole("table").getByRole("button", { name: other }).press("Enter");
  expect(await page.getByTestId("region-details").innerText()).toMatch(/Epoch of its lanes\s+2/);
});

test("without a mouse an alarm leads to its region", async () => {
  const nation = alarmedNation();
  const name = nation.regions[1]?.names.en ?? "";
  await using open = await OpenPage.open({ nation });
  const { page } = open;
  const button = page.getByRole("region", { name: /Needs somebody/ }).getByRole("button", { name });
  await button.first().focus();
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: new RegExp(name) }).waitFor();
});

test.each([
  ["ru-RU", /Требует внимания человека/, "Ключ отозван: центр"],
  ["kk-KZ", /Адамның назарын қажет етеді/, "Кілт қайтарып алынды: орталық"],
])("in %s, also on a narrow screen, and nothing is wider than it", async (locale, heading, first) => {
  await using open = await OpenPage.open({ nation: alarmedNation(), locale, width: 360 });
  const alarms = open.page.getByRole("region", { name: heading });
  await alarms.getByText(first).waitFor();
  await open.expectNoSidewaysScroll();
});
