/**
 * Whether the nation's page is built from the sources that are there. Plain
 * JavaScript without packages, since it runs before `npm ci` as well.
 */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const checkout = join(import.meta.dirname, "..", "..");
const sources = join(checkout, "services", "console");

/** The folder of the built page; the capital serves it. */
const builtPage = join(sources, "dist");
const stamp = join(builtPage, "built-from");

/** What the page is made of: its sources, and the packages by the lock file. */
function sourcesKey() {
  const hash = createHash("sha256").update(readFileSync(join(checkout, "package-lock.json")));
  const files = readdirSync(sources, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(builtPage));
  for (const file of files.toSorted()) {
    hash.update(`\0${file.slice(sources.length)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

/** The page on disk is that of the sources. */
export function pageIsBuilt() {
  try {
    return readFileSync(stamp, "utf8") === sourcesKey();
  } catch {
    return false;
  }
}

/**
 * Builds beside the page's place and renames: a capital that serves it
 * meanwhile never sees half of it, and two builds at once end in the same page.
 *
 * @param build runs the bundler with the given parameters
 */
export async function buildPage(build) {
  const key = sourcesKey();
  const caches = join(checkout, "node_modules", ".cache");
  mkdirSync(caches, { recursive: true });
  const folder = mkdtempSync(join(caches, "page-"));
  try {
    const bundler = join(checkout, "node_modules", "vite", "bin", "vite.js");
    const config = join(sources, "vite.config.ts");
    const output = join(folder, "dist");
    await build([bundler, "build", "--config", config, "--outDir", output, "--logLevel", "warn"]);
    writeFileSync(join(output, "built-from"), key);
    rmSync(builtPage, { recursive: true, force: true });
    renameSync(output, builtPage);
  } catch (error) {
    // Another build was faster to rename the same page.
    if (!pageIsBuilt()) throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
