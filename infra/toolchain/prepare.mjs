/**
 * Prepares what is missing on this machine, then runs the command after `--`:
 *
 *   node infra/toolchain/prepare.mjs [--browser] [--clock] [--cluster] [--node] -- COMMAND ...
 *
 * With `--browser` for tests of pages, with `--clock` for wrong clocks, with `--cluster` for those that start API
 * servers of Kubernetes, with `--node` for those that run pods on a real node.
 * It needs no package and runs on Node 20 and newer. What is there already is
 * only looked at, so a prepared machine loses a moment.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { prepareTools } from "./build.mjs";
import { installFromDebian } from "./debian.mjs";
import {
  findChromium,
  findFakeClock,
  isAtLeast,
  missingNodePackages,
  nodeObstacle,
  onPath,
} from "./locate.mjs";
import { buildPage, pageIsBuilt } from "./page.mjs";
import { pinnedTools } from "./pins.mjs";
import { Missing, say, step } from "./step.mjs";

const checkout = join(import.meta.dirname, "..", "..");
const binaries = join(checkout, "node_modules", ".bin");
const nodeVersionMin = "20.0.0";
const knownFlags = ["--browser", "--clock", "--cluster", "--node"];

/** The packages on disk are those of package-lock.json; optional ones may be absent. */
function packagesAreInstalled() {
  const read = (file) => JSON.parse(readFileSync(join(checkout, file), "utf8")).packages;
  let installed;
  try {
    // npm writes this file last, so an install that was interrupted is not taken for a finished one.
    installed = read("node_modules/.package-lock.json");
  } catch {
    return false;
  }
  return Object.entries(read("package-lock.json")).every(([path, wanted]) => {
    if (path === "") return true;
    const present = installed[path];
    if (present === undefined) return wanted.optional === true || wanted.devOptional === true;
    return present.version === wanted.version && present.integrity === wanted.integrity;
  });
}

async function installPackages() {
  if (packagesAreInstalled()) return;
  const npm = onPath("npm");
  if (npm === undefined) {
    throw new Missing(
      "npm is needed to install the packages: it comes with Node 20 or newer, https://nodejs.org",
    );
  }
  await step("installing the packages (npm ci)", npm, ["ci", "--no-audit", "--no-fund"], { cwd: checkout });
}

async function preparePage() {
  if (pageIsBuilt()) return;
  // The package `node`, not the machine's: its age is known.
  const node = join(binaries, "node");
  // A test that builds the page runs with NODE_ENV=test, which would make it the slow development page.
  const env = { ...process.env, NODE_ENV: "production" };
  await buildPage((parameters) => step("building the page", node, parameters, { cwd: checkout, env }));
}

async function prepareBrowser() {
  if (findChromium() !== undefined) return;
  await installFromDebian(["chromium"], "Chromium is needed for the tests of pages");
  if (findChromium() === undefined)
    throw new Missing("apt-get installed chromium, but it is not on the path");
}

/** Where it cannot be had, that is said, and all else goes on: no clock is wrong in the tests then. */
async function prepareClock() {
  if (findFakeClock() !== undefined) return;
  try {
    await installFromDebian(["libfaketime"], "Tests with wrong clocks need it", ["--no-install-recommends"]);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    say(`${error.message}; without it the tests with wrong clocks are skipped`);
  }
}

/** Where no node can run, that is said, and all else goes on: the tests that need one are skipped. */
async function prepareNode() {
  const obstacle = nodeObstacle();
  if (obstacle !== undefined) {
    say(`${obstacle}: the tests that run real pods will be skipped`);
    return;
  }
  const missing = missingNodePackages();
  if (missing.length > 0) {
    await installFromDebian(missing, "Tests that run real pods need them", ["--no-install-recommends"]);
  }
  await prepareTools(pinnedTools("--node"));
}

/** Runs the command in place of this script: same terminal, same signals, same exit code. */
function run(command, parameters) {
  const child = spawn(command, parameters, {
    stdio: "inherit",
    env: { ...process.env, PATH: [binaries, process.env["PATH"] ?? ""].join(delimiter) },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // On a terminal, Ctrl-C has reached the command already: it is in the same process group.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.once("error", (error) => {
    say(`cannot run ${command}: ${error.message}`);
    process.exit(127);
  });
  child.once("exit", (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0));
  });
}

async function main() {
  const all = process.argv.slice(2);
  const split = all.indexOf("--");
  const flags = split === -1 ? all : all.slice(0, split);
  const [command, ...parameters] = split === -1 ? [] : all.slice(split + 1);
  const unknown = flags.find((flag) => !knownFlags.includes(flag));
  if (unknown !== undefined) {
    say(
      `unknown option ${unknown}; usage: prepare.mjs ${knownFlags.map((flag) => `[${flag}]`).join(" ")} -- COMMAND ...`,
    );
    process.exit(2);
  }
  if (!isAtLeast(process.versions.node, nodeVersionMin)) {
    throw new Missing(
      `Node ${nodeVersionMin} or newer is needed, this is ${process.versions.node}: https://nodejs.org`,
    );
  }
  await installPackages();
  await prepareTools(pinnedTools());
  await preparePage();
  if (flags.includes("--browser")) await prepareBrowser();
  if (flags.includes("--clock")) await prepareClock();
  if (flags.includes("--cluster")) await prepareTools(pinnedTools("--cluster"));
  if (flags.includes("--node")) await prepareNode();
  if (command !== undefined) run(command, parameters);
}

main().catch((error) => {
  say(error instanceof Missing ? error.message : `${error instanceof Error ? error.stack : error}`);
  process.exit(1);
});
