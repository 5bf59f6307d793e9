/**
 * Where the project's tools are. Plain JavaScript without packages, since it
 * also runs before `npm ci`, on whatever Node the machine has.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The oldest nats-server that may be used from the path. */
export const natsServerVersionMin = "2.14.3";

const natsPinFolder = join(import.meta.dirname, "nats");

/** How nats-server is built: its binary is keyed by these as well. */
export const goBuildFlags = ["-trimpath", "-ldflags", "-s -w"];

/** The pinned Go module of nats-server. */
export function natsPin() {
  const goModule = readFileSync(join(natsPinFolder, "go.mod"), "utf8");
  const version = /nats-server\/v2 v([0-9.]+)/.exec(goModule)?.[1];
  const goVersion = /^go ([0-9.]+)$/m.exec(goModule)?.[1];
  if (version === undefined || goVersion === undefined) {
    throw new Error(`${join(natsPinFolder, "go.mod")} must name nats-server/v2 and the Go version`);
  }
  const sums = readFileSync(join(natsPinFolder, "go.sum"), "utf8");
  const key = createHash("sha256").update(goModule).update(sums).update(goBuildFlags.join(" ")).digest("hex");
  return { folder: natsPinFolder, version, goVersion, key: key.slice(0, 12) };
}

/** The cache shared by all checkouts of this user. */
export function cacheFolder() {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base !== undefined && base !== "" ? base : join(homedir(), ".cache"), "qalqan");
}

/** Where a nats-server built from the pin is kept. */
export function builtNatsServer() {
  const { version, key } = natsPin();
  return join(
    cacheFolder(),
    `nats-server-${version}-${key}-${process.platform}-${process.arch}`,
    "nats-server",
  );
}

/** First executable file of that name on the path. */
export function onPath(name) {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder !== "" && isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** First dotted number that `file ...parameters` prints; undefined when it cannot be run. */
export function versionOf(file, parameters) {
  try {
    const output = execFileSync(file, parameters, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    });
    return /(\d+(?:\.\d+)+)/.exec(output)?.[1];
  } catch {
    return undefined;
  }
}

/** Compares dotted versions number by number. */
export function isAtLeast(version, versionMin) {
  const [parts, partsMin] = [version, versionMin].map((text) => text.split(".").map(Number));
  for (let index = 0; index < partsMin.length; index += 1) {
    const difference = (parts[index] ?? 0) - partsMin[index];
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** A nats-server to use: from the path when new enough, else the one built from the pin, else undefined. */
export function findNatsServer() {
  const candidate = onPath("nats-server");
  if (candidate !== undefined) {
    const version = versionOf(candidate, ["--version"]);
    if (version !== undefined && isAtLeast(version, natsServerVersionMin)) return candidate;
  }
  const built = builtNatsServer();
  return isExecutable(built) ? built : undefined;
}

/** A Chromium for the tests of pages, from the path. */
export function findChromium() {
  return onPath("chromium") ?? onPath("chromium-browser") ?? onPath("google-chrome");
}
