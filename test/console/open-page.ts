import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { findTool } from "#infra/toolchain/tools.ts";
import { FakeCapital } from "./fake-capital.ts";

const prepare = join(import.meta.dirname, "..", "..", "infra", "toolchain", "prepare.mjs");
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser: Browser | undefined;

/** Starts one browser for the file's tests, on the page as its sources are now. */
export function useBrowser(): void {
  beforeAll(async () => {
    execFileSync(process.execPath, [prepare, "--browser"], { stdio: "inherit" });
    browser = await chromium.launch({ executablePath: findTool("chromium"), args: flags });
  });
  afterAll(() => browser?.close());
}

interface Opening {
  /** What the capital says at once; left out, it says nothing. */
  readonly nation?: unknown;
  readonly width?: number;
  /** Of the browser. */
  readonly locale?: string;
  readonly reducedMotion?: "reduce" | "no-preference";
}

/** A window of its own: no cookies, no storage, nothing kept from another. */
export async function openWindow(opening: Opening = {}): Promise<Page> {
  if (browser === undefined) throw new Error("useBrowser is not in this file");
  const context = await browser.newContext({
    viewport: { width: opening.width ?? 1_440, height: 900 },
    locale: opening.locale ?? "en-US",
    reducedMotion: opening.reducedMotion ?? "no-preference",
  });
  return context.newPage();
}

/** The page in a window of its own, and the capital that it listens to. */
export class OpenPage implements AsyncDisposable {
  readonly page: Page;
  readonly capital: FakeCapital;
  /** What the browser complained about, and what the page asked of others. */
  readonly complaints: string[] = [];

  private constructor(page: Page, capital: FakeCapital) {
    this.page = page;
    this.capital = capital;
    page.on("pageerror", ({ message }) => this.complaints.push(message));
    page.on("console", (message) => {
      // A line that breaks is what some tests are about; the browser says so, and the page may not.
      const isOfTheLine = message.location().url.endsWith("/v1/events");
      if (["error", "warning"].includes(message.type()) && !isOfTheLine) this.complaints.push(message.text());
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(capital.url) && !url.startsWith("data:")) this.complaints.push(`asked ${url}`);
    });
  }

  static async open(opening: Opening = {}): Promise<OpenPage> {
    const capital = await FakeCapital.start();
    if (opening.nation !== undefined) capital.tell(opening.nation);
    const open = new OpenPage(await openWindow(opening), capital);
    await open.page.goto(capital.url);
    return open;
  }

  /** Nothing on the page is wider than the window. */
  async expectNoSidewaysScroll(): Promise<void> {
    const width = await this.page.locator("html").evaluate((root) => root.scrollWidth);
    assert.equal(width, this.page.viewportSize()?.width);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
    await this.capital[Symbol.asyncDispose]();
    assert.deepEqual(this.complaints, []);
  }
}
