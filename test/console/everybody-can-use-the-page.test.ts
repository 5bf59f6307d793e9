import { expect, test } from "vitest";
import { ordinaryNation, troubledNation } from "./given-nation.ts";
import { OpenPage, useBrowser } from "./open-page.ts";

useBrowser();

const focused = (open: OpenPage) => open.page.locator(":focus");

test("the browser's language is spoken first, and the one chosen is kept", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation(), locale: "ru-RU" });
  const { page } = open;
  const language = () => page.locator("html").getAttribute("lang");
  await page.getByText("Синхронны: 20 из 20").waitFor();
  expect(await language()).toBe("ru");
  await page.getByRole("row", { name: /Восточно-Казахстанская область/ }).waitFor();

  await page.getByText("Қазақша").click();
  await page.getByText("Үндес өңірлер: 20 / 20").waitFor();
  await page.getByRole("row", { name: /Шығыс Қазақстан облысы/ }).waitFor();
  expect(await language()).toBe("kk");
  expect(await page.title()).toContain("Қазақстанның антиколл-орталықтары");

  await page.reload();
  await page.getByText("Үндес өңірлер: 20 / 20").waitFor();
});

test("numbers are written as each language writes them", async () => {
  const nation = ordinaryNation();
  nation.lastHour.calls = 1_234_567;
  await using open = await OpenPage.open({ nation });
  await open.page.getByText("1,234,567").waitFor();
  for (const name of ["Русский", "Қазақша"]) {
    await open.page.getByText(name).click();
    await open.page.getByText("1\u00A0234\u00A0567").waitFor();
  }
});

test("without a mouse: skip link, language, centre after centre with all that the map shows", async () => {
  await using open = await OpenPage.open({ nation: troubledNation() });
  const { page } = open;
  await page.getByText("16 of 20 regions in sync").waitFor();
  await page.keyboard.press("Tab");
  expect(await focused(open).innerText()).toBe("Skip to the regions");
  await page.keyboard.press("Tab");
  expect(
    await page.getByRole("radio", { name: "English" }).evaluate((radio) => radio.matches(":focus")),
  ).toBe(true);
  await page.keyboard.press("Tab");
  expect(await focused(open).getAttribute("aria-label")).toMatch(
    // With its date, where that was on another day: three hours ago.
    /^Abai Region: In sync, since (?:\w+ \d+, )?\d\d:\d\d, Calls: 400, Intercepted: 3, Forged: 1$/,
  );
  expect(await page.getByTestId("region-details").innerText()).toMatch(/^Abai Region KZ-10/);
  const ring = page.locator(".point:focus-visible .ring");
  expect(await ring.count()).toBe(1);

  await page.keyboard.press("ArrowLeft");
  expect(await focused(open).getAttribute("aria-label")).toMatch(/^Pavlodar Region: Differs/);
  expect(await page.getByTestId("region-details").innerText()).toMatch(
    /^Pavlodar Region KZ-55[\s\S]*replaced from the snapshot/,
  );
});

test("a region chosen in the table is shown alone, and left again", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation() });
  const { page } = open;
  await page.getByRole("table").getByRole("button", { name: "Mangystau Region" }).press("Enter");
  await page.getByRole("region", { name: /Mangystau Region/ }).waitFor();
  expect(await page.locator(".point[aria-pressed=true]").getAttribute("aria-label")).toMatch(
    /^Mangystau Region/,
  );
  await page.getByRole("button", { name: "Back to the nation" }).click();
  await page.getByText("20 of 20 regions in sync").waitFor();
});

test("the table sorts by what stands in it", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation() });
  const table = open.page.getByRole("table");
  await table.getByRole("columnheader", { name: "Calls" }).press("Enter");
  await table.getByRole("columnheader", { name: "Calls" }).press("Enter");
  expect(await table.getByRole("rowheader").first().innerText()).toBe("Mangystau Region");
});

test.each(["Қазақша", "Русский", "English"])("360 pixels are wide enough in %s", async (language) => {
  await using open = await OpenPage.open({ nation: troubledNation(), width: 360 });
  const { page } = open;
  await page.getByText(language).click();
  await page.locator(".regions-list").waitFor();
  expect(await page.getByRole("table").count()).toBe(0);
  expect(await page.locator(".regions-list > li").count()).toBe(21);
  await open.expectNoSidewaysScroll();
  await page.locator(".point").nth(3).focus();
  await open.expectNoSidewaysScroll();
  open.capital.goAway();
  await page.locator(".notice").waitFor();
  await open.expectNoSidewaysScroll();
});

test.each([760, 1_040, 1_280])("%d pixels leave nothing outside of the window", async (width) => {
  await using open = await OpenPage.open({ nation: troubledNation(), width, locale: "kk-KZ" });
  await open.page.locator(".figures").waitFor();
  await open.expectNoSidewaysScroll();
});

test("nothing moves by itself for whoever asked for calm", async () => {
  const nation = ordinaryNation();
  await using open = await OpenPage.open({ nation, reducedMotion: "reduce" });
  await open.page.getByText("20 of 20 regions in sync").waitFor();
  for (const region of nation.regions) region.intercepted += 1;
  nation.lastHour.intercepted = 4_321;
  open.capital.tell(nation);
  await open.page.locator(".figure").getByText("4,321", { exact: true }).waitFor();
  const moving = await open.page
    .locator("html")
    .evaluate((root) => root.getAnimations({ subtree: true }).length);
  expect(moving).toBe(0);
});
