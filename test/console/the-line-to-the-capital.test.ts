import { expect, test } from "vitest";
import { ordinaryNation } from "./given-nation.ts";
import { OpenPage, useBrowser } from "./open-page.ts";

useBrowser();

test("until the capital says something, the page shows that it waits", async () => {
  await using open = await OpenPage.open();
  await open.page.locator("[aria-busy=true]").waitFor();
  open.capital.tell(ordinaryNation());
  await open.page.getByText("20 of 20 regions in sync").waitFor();
  expect(await open.page.locator("[aria-busy=true]").count()).toBe(0);
});

test("when the capital is lost, what was known stays with its age, and moves on when it is back", async () => {
  const nation = ordinaryNation();
  await using open = await OpenPage.open({ nation });
  const { page, capital } = open;
  await page.getByText("20 of 20 regions in sync").waitFor();

  capital.goAway();
  const alert = page.getByRole("alert");
  await alert.getByText("No line to the capital").waitFor();
  expect(await alert.innerText()).toMatch(
    /The capital does not answer\. .* last known, .* old\. (Next attempt|Trying)/,
  );
  expect(await page.getByText("20 of 20 regions in sync").isVisible()).toBe(true);
  expect(await page.locator(".line-mark").innerText()).toMatch(/No line to the capital[\s\S]*ago/);

  nation.lastHour.calls = 98_765;
  capital.comeBack();
  capital.tell(nation);
  await page.locator(".figure").getByText("98,765", { exact: true }).waitFor();
  await alert.waitFor({ state: "detached" });
  await page.getByRole("status").getByText("The line to the capital is back.").waitFor({ state: "attached" });
});

test("the page comes back by itself", async () => {
  await using open = await OpenPage.open({ nation: ordinaryNation() });
  await open.page.getByText("20 of 20 regions in sync").waitFor();
  open.capital.goAway();
  await open.page.getByRole("alert").waitFor();
  open.capital.comeBack();
  await open.page.getByRole("alert").waitFor({ state: "detached", timeout: 20_000 });
});

test("nobody has to wait for the next attempt", async () => {
  await using open = await OpenPage.open();
  const { page, capital } = open;
  capital.goAway();
  // The pauses grow: in the fourth, there is time to press.
  await page.getByText(/Next attempt in [6-9] s/).waitFor();
  capital.comeBack();
  capital.tell(ordinaryNation());
  await page.getByRole("button", { name: "Try now" }).click();
  await page.getByText("20 of 20 regions in sync").waitFor();
});

test("a capital that was never there, refuses or speaks another language is told apart", async () => {
  await using open = await OpenPage.open();
  const { page, capital } = open;
  capital.goAway();
  await page.getByText("Nothing is known yet").waitFor();
  await page.getByText("The capital does not answer.").waitFor();
  capital.refuse();
  await page.getByText("does not let this browser see").waitFor();
  capital.comeBack();
  capital.tell({ another: "release" });
  await page.getByText("in a form that this page does not know").waitFor({ timeout: 15_000 });
});
