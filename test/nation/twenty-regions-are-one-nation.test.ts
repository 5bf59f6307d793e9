import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectControl } from "#infra/local/control.ts";
import { addressIn, readRunFile } from "#infra/local/run-file.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { openWindow, useBrowser } from "../console/open-page.ts";
import {
  RunningNation,
  type DirectiveDocument,
  type ScreenDocument,
  type StatusDocument,
} from "./running-nation.ts";

/** What the issue asks of 2 cores: printed as a ratio, never a reason to fail. */
const targets = { readyMs: 120_000, memoryMebibytes: 12 * 1024 };
const citizen = "+77172551111";

/** Where a person who wants to look finds the pages afterwards. */
const screenshots = process.env["QALQAN_SCREENSHOTS"];

describe("the nation with all of its regions", () => {
  useBrowser();
  let nation: RunningNation;
  const slugs = loadRegions().map(({ slug }) => slug);

  beforeAll(async () => {
    nation = await RunningNation.start({ regions: "all", traffic: "100" });
    console.info(
      `${slugs.length} regions ready in ${Math.round(nation.startedInMs)} ms: ${(nation.startedInMs / targets.readyMs).toFixed(2)} of the target`,
    );
  });
  afterAll(async () => {
    await nation[Symbol.asyncDispose]();
  });

  it("runs twenty stacks and the capital, in sync", async () => {
    expect(slugs).toHaveLength(20);
    await expect
      .poll(
        async () => {
          const { regions } = await nation.json<StatusDocument>("status");
          return regions
            .filter(({ state }) => state === "in-sync")
            .map(({ region }) => region)
            .toSorted();
        },
        { timeout: 60_000, interval: 1_000 },
      )
      .toEqual(slugs.toSorted());
  });

  it("enforces a directive of one region in all twenty", async () => {
    const directive = await nation.json<DirectiveDocument>(
      ...["directive", "issue", "--region", "astana", "--number", "+447911123456", "--action", "block"],
      ...["--basis", "communications-law-41-1", "--reason", "fraud", "--expires", "6d", "--wait", "60"],
    );
    expect(directive.receipts.map(({ region }) => region).toSorted()).toEqual(slugs.toSorted());
    expect(directive.receipts.filter(({ state }) => state !== "enforced")).toEqual([]);
    for (const region of slugs.slice(-3)) {
      const answer = await nation.json<ScreenDocument>(
        ...["screen", "--region", region, "--from", "+447911123456", "--to", citizen, "--trunk", "intl-1"],
      );
      expect(answer.directive).toBe(directive.id);
    }
  });

  it("shows a browser the same, live", async () => {
    const page = await openWindow();
    await page.goto(
      `http://${addressIn(readRunFile(nation.dataFolder), "capital", "coordination", "http")}/`,
    );
    await page.getByText("20 of 20 regions in sync").waitFor();
    const directives = page.getByRole("region", { name: "Latest directives" });
    await directives.getByText("Enforced in 20 of 20").first().waitFor();
    expect(await page.getByRole("table").getByRole("rowheader").count()).toBe(20);
    await shoot(page, "nation");
    await connectControl(nation.dataFolder).cut("mangystau");
    await page
      .getByRole("row", { name: /Mangystau/ })
      .getByText("Cut off")
      .waitFor({ timeout: 40_000 });
    await shoot(page, "nation-with-a-region-cut-off");
    await connectControl(nation.dataFolder).heal("mangystau");
    await page.getByText("20 of 20 regions in sync").waitFor({ timeout: 40_000 });
    await page.context().close();
  });

  it("fits into the memory of one machine", async () => {
    const { services } = await connectControl(nation.dataFolder).status();
    const roots = services.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    const mebibytes = Math.round(proportionalKibibytes(roots) / 1_024);
    console.info(
      `memory ${mebibytes} MiB: ${(mebibytes / targets.memoryMebibytes).toFixed(2)} of the target`,
    );
    expect(roots.length).toBe(20 * 5 + 3);
    expect(mebibytes).toBeGreaterThan(1_000);
  });
});

async function shoot(page: Page, name: string): Promise<void> {
  if (screenshots !== undefined) {
    await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
  }
}

/** Proportional set size (proc(5), smaps_rollup) of processes and all that they have started, KiB. */
function proportionalKibibytes(roots: readonly number[]): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(path.join("/proc", name, "stat"), "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const belongs = (pid: number): boolean =>
    roots.includes(pid) || (parents.has(pid) && belongs(parents.get(pid) ?? 0));
  let sum = 0;
  for (const pid of [...parents.keys()].filter(belongs)) {
    try {
      const rollup = readFileSync(path.join("/proc", String(pid), "smaps_rollup"), "utf8");
      sum += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum;
}
