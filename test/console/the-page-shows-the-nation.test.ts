import { expect, test } from "vitest";
import { emptyNation, ordinaryNation, troubledNation } from "./given-nation.ts";
import { OpenPage, useBrowser } from "./open-page.ts";

useBrowser();

const text = (page: OpenPage, selector: string) => page.page.locator(selector).innerText();

test("figures, map, table and directives of twenty regions are there", async () => {
  const nation = ordinaryNation();
  await using open = await OpenPage.open({ nation });
  const { page } = open;
  await page.getByText("20 of 20 regions in sync").waitFor();
  expect(await page.title()).toBe("Qalqan – Anti Call-Centres of Kazakhstan");
  const figure = (name: string) => page.locator(".figure", { hasText: name }).locator(".count").innerText();
  const count = new Intl.NumberFormat("en-US");
  expect(await figure("Calls screened")).toBe(count.format(nation.lastHour.calls));
  expect(await figure("Intercepted")).toBe(count.format(nation.lastHour.intercepted));
  expect(await figure("Forged and blocked")).toBe(count.format(nation.lastHour.forged));
  expect(await figure("Warned")).toBe("311");
  expect(
    await page
      .getByRole("group", { name: /Map of Kazakhstan/ })
      .getByRole("button")
      .count(),
  ).toBe(20);
  expect(await page.getByRole("table").getByRole("rowheader").count()).toBe(20);
  // Calls of people whose region nobody told are the nation's, and shown as that.
  expect(await page.getByRole("row", { name: /Region unknown/ }).innerText()).toContain("4,127");
  await page.locator(".chart svg").waitFor();
});

test("a directive says in how many regions it is enforced, and shows its target", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation() });
  const items = open.page.getByRole("region", { name: "Latest directives" }).getByRole("listitem");
  await items.first().waitFor();
  expect(await items.nth(0).innerText()).toMatch(
    /Block\s+\+447911123456[\s\S]*Enforced in 20 of 20\s+everywhere within 38 ms/,
  );
  expect(await items.nth(2).innerText()).toContain("on any international trunk");
  expect(await items.nth(3).innerText()).toMatch(/Held: an approval is missing$/);
  expect(await items.nth(4).innerText()).toContain("Enforced in 1 of 1");
  expect(await items.nth(5).innerText()).toContain("Withdrawn in 20 of 20");
});

test("a figure moves as soon as the capital says so", async () => {
  const nation = ordinaryNation();
  await using open = await OpenPage.open({ nation });
  await open.page.getByText("20 of 20 regions in sync").waitFor();
  nation.lastHour.intercepted = 12_345;
  const [first] = nation.regions;
  if (first !== undefined) first.intercepted = 777;
  open.capital.tell(nation);
  await open.page.locator(".figure").getByText("12,345", { exact: true }).waitFor();
  await open.page.getByRole("table").getByText("777", { exact: true }).waitFor();
});

test("a region that is cut off, behind or differs is named, with a sign of its own and in words", async () => {
  await using open = await OpenPage.open({ nation: troubledNation() });
  const { page } = open;
  await page.getByText("16 of 20 regions in sync").waitFor();
  const attention = await text(open, ".attention");
  expect(attention).toMatch(/Pavlodar Region\s+Differs/);
  expect(attention).toMatch(/Mangystau Region\s+Cut off/);
  expect(attention).toMatch(/Ulytau Region\s+Cut off/);
  expect(attention).toMatch(/Aktobe Region\s+Behind/);
  const row = page.getByRole("row", { name: /Mangystau Region/ });
  expect(await row.innerText()).toMatch(/Cut off[\s\S]*47,901[\s\S]*26 min/);
  expect(await page.getByRole("row", { name: /Ulytau Region/ }).innerText()).toContain("never");
  const shapes = await page
    .locator(".legend .sign")
    .evaluateAll((signs) => signs.map((sign) => sign.getAttribute("d")));
  expect(new Set(shapes).size).toBe(4);
});

test("a region that becomes cut off is said aloud", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation() });
  await open.page.getByText("20 of 20 regions in sync").waitFor();
  open.capital.tell(troubledNation());
  await open.page.getByRole("status").getByText("Mangystau Region: Cut off.").waitFor({ state: "attached" });
});

test("the national stop cannot be overlooked", async () => {
  const nation = ordinaryNation();
  await using open = await OpenPage.open({ nation });
  await open.page.getByText("20 of 20 regions in sync").waitFor();
  expect(await open.page.getByRole("alert").count()).toBe(0);
  nation.stopped = true;
  open.capital.tell(nation);
  expect(await open.page.getByRole("alert").innerText()).toContain("The national stop is pulled");
});

test("a nation without regions, calls and directives says so", async () => {
  await using open = await OpenPage.open({ nation: emptyNation() });
  await open.page.getByText("No region has been started yet.").first().waitFor();
  await open.page.getByText("No calls in the last hour.").waitFor();
  await open.page.getByText("No directive has been given yet.").waitFor();
});
