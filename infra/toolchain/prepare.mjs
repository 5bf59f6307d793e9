/**
 * Prepares what is missing on this machine, then runs the command after `--`:
 *
 *   node infra/toolchain/prepare.mjs [--browser] -- COMMAND ...
 *
 * It needs no package and runs on Node 20 and newer. What is there already is
 * only looked at, so a prepared machine loses a tenth of a second.
 */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import {
  builtNatsServer,
  cacheFolder,
  findChromium,
  findNatsServer,
  goBuildFlags,
  isAtLeast,
  natsPin,
  natsServerVersionMin,
  onPath,
  versionOf,
} from "./locate.mjs";
import { buildPage, pageIsBuilt } from "./page.mjs";

const checkout = join(import.meta.dirname, "..", "..");
const binaries = join(checkout, "node_modules", ".bin");
const nodeVersionMin = "20.0.0";

/** Something that this script cannot get by itself; the message says who can, and how. */
class Missing extends Error {}

const say = (line) => process.stderr.write(`prepare: ${line}\n`);

/** Runs a long step; a line every ten seconds shows that it goes on. */
async function step(what, file, parameters, options = {}) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  say(`${what} ...`);
  const ticker = setInterval(() => say(`${what} ... ${seconds()} s`), 10_000);
  try {
    await new Promise((resolve, reject) => {
      const child = spawn(file, parameters, { cwd: checkout, ...options, stdio: ["ignore", "pipe", "pipe"] });
      let tail = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk) => (tail = (tail + chunk).slice(-4_000)));
      }
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        if (code === 0) resolve();
        else reject(new Missing(`${what} failed (${signal ?? `exit code ${code}`}).\n${tail.trim()}`));
      });
    });
  } finally {
    clearInterval(ticker);
  }
  say(`${what}: done in ${seconds()} s`);
}

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
  await step("installing the packages (npm ci)", npm, ["ci", "--no-audit", "--no-fund"]);
}

function requireGo(pin) {
  const go = onPath("go");
  const version = go === undefined ? undefined : versionOf(go, ["env", "GOVERSION"]);
  if (go !== undefined && version !== undefined && isAtLeast(version, pin.goVersion)) return go;
  const found = version === undefined ? "no Go" : `Go ${version}`;
  throw new Missing(
    `nats-server ${natsServerVersionMin} or newer is needed: none is on the path, and it cannot be built, ` +
      `since ${found} was found where Go ${pin.goVersion} is needed.\n` +
      `  Either put nats-server on the path: https://github.com/nats-io/nats-server/releases/tag/v${pin.version}\n` +
      `  or install Go ${pin.goVersion} (https://go.dev/dl/) and run this again.`,
  );
}

/** Builds beside the cache's place and renames: two builds at once end in the same good file. */
async function prepareNatsServer() {
  if (findNatsServer() !== undefined) return;
  const pin = natsPin();
  const go = requireGo(pin);
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), "build-"));
  try {
    for (const file of ["go.mod", "go.sum", "tools.go"])
      copyFileSync(join(pin.folder, file), join(folder, file));
    const output = join(folder, "nats-server");
    await step(
      `building nats-server ${pin.version} (once, about 30 s)`,
      go,
      ["build", "-mod=readonly", ...goBuildFlags, "-o", output, "github.com/nats-io/nats-server/v2"],
      {
        cwd: folder,
        env: { ...process.env, GOTOOLCHAIN: "local", CGO_ENABLED: "0", GOFLAGS: "", GOWORK: "off" },
      },
    );
    const target = builtNatsServer();
    mkdirSync(dirname(target), { recursive: true });
    renameSync(output, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function preparePage() {
  if (pageIsBuilt()) return;
  // The package `node`, not the machine's: its age is known.
  const node = join(binaries, "node");
  // A test that builds the page runs with NODE_ENV=test, which would make it the slow development page.
  const env = { ...process.env, NODE_ENV: "production" };
  await buildPage((parameters) => step("building the page", node, parameters, { env }));
}

async function prepareBrowser() {
  if (findChromium() !== undefined) return;
  const apt = onPath("apt-get");
  if (apt === undefined || process.getuid?.() !== 0) {
    throw new Missing("Chromium is needed for the tests of pages: sudo apt-get install -y chromium");
  }
  const options = { cwd: tmpdir(), env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  await step("reading Debian's list of packages (apt-get update)", apt, ["update"], options);
  await step("installing Debian's chromium (apt-get install)", apt, ["install", "-y", "chromium"], options);
  if (findChromium() === undefined)
    throw new Missing("apt-get installed chromium, but it is not on the path");
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
      if (signal !== "SIGINT" || process.stdin.isTTY !== true) child.kill(signal);
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
  const unknown = flags.find((flag) => flag !== "--browser");
  if (unknown !== undefined) {
    say(`unknown option ${unknown}; usage: prepare.mjs [--browser] -- COMMAND ...`);
    process.exit(2);
  }
  if (!isAtLeast(process.versions.node, nodeVersionMin)) {
    throw new Missing(
      `Node ${nodeVersionMin} or newer is needed, this is ${process.versions.node}: https://nodejs.org`,
    );
  }
  await installPackages();
  await prepareNatsServer();
  await preparePage();
  if (flags.includes("--browser")) await prepareBrowser();
  if (command !== undefined) run(command, parameters);
}

main().catch((error) => {
  say(error instanceof Missing ? error.message : `${error instanceof Error ? error.stack : error}`);
  process.exit(1);
});
