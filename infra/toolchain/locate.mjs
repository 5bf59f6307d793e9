/**
 * Where the project's tools are. Plain JavaScript without packages, since it
 * also runs before `npm ci`, on whatever Node the machine has.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { pinnedTool } from "./pins.mjs";

/** The cache shared by all checkouts of this user. */
export function cacheFolder() {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base !== undefined && base !== "" ? base : join(homedir(), ".cache"), "qalqan");
}

/** First executable file of that name on the path. */
export function onPath(name) {
  return firstOf((process.env["PATH"] ?? "").split(delimiter), name);
}

function firstOf(folders, name) {
  const folder = folders.find((candidate) => candidate !== "" && isExecutable(join(candidate, name)));
  return folder === undefined ? undefined : join(folder, name);
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

/** The folder of `KUBEBUILDER_ASSETS`, in which those who test with API servers keep etcd, kube-apiserver and kubectl. */
function assets() {
  return process.env["KUBEBUILDER_ASSETS"] ?? "";
}

/** Files of a pinned tool that somebody else brought, best first, each with whether it is new enough. */
export function broughtTools(name) {
  const { elsewhere } = pinnedTool(name);
  if (elsewhere === undefined) return [];
  const { places, versionMin, versionParameters } = elsewhere;
  return places
    .map((place) => (place === "assets" ? firstOf([assets()], name) : onPath(name)))
    .filter((file) => file !== undefined)
    .map((file) => {
      const version = versionOf(file, versionParameters);
      return { file, version, isNewEnough: version !== undefined && isAtLeast(version, versionMin) };
    });
}

/** Where a tool built from its pin is kept. */
export function builtTool(name) {
  const { pin } = pinnedTool(name);
  const parts = [pin.family, pin.version, pin.key, process.platform, process.arch];
  return join(cacheFolder(), parts.filter((part) => part !== undefined).join("-"), name);
}

/** A pinned tool to use: one that was brought and is new enough, else the one built from the pin, else undefined. */
export function findPinnedTool(name) {
  const brought = broughtTools(name).find(({ isNewEnough }) => isNewEnough);
  if (brought !== undefined) return brought.file;
  const built = builtTool(name);
  return isExecutable(built) ? built : undefined;
}

/** A Chromium for the tests of pages, from the path. */
export function findChromium() {
  return onPath("chromium") ?? onPath("chromium-browser") ?? onPath("google-chrome");
}

/** Where distributions keep libfaketime: on Debian under the folder of the architecture. */
const libraryFolders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/** The library that makes the clock of a program with threads wrong (Debian's libfaketime). */
export function findFakeClock() {
  return libraryFolders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))])
    .map((folder) => join(folder, "faketime", "libfaketimeMT.so.1"))
    .find((file) => existsSync(file));
}

/** Where Debian's package puts the plugins of container networks. */
const networkPluginFolder = "/usr/lib/cni";

/** What a node of Kubernetes needs from Debian, by package. */
const nodePackages = {
  containerd: () => ["containerd", "ctr"].every(findNodeTool),
  "containernetworking-plugins": () => findNodeTool("network-plugins"),
  nftables: () => findNodeTool("nft"),
  iproute2: () => findNodeTool("ip"),
  // The package busybox has one that needs libraries, which an image of it alone has not.
  "busybox-static": () => findNodeTool("busybox"),
};

/** A tool of Debian that a node of Kubernetes needs; undefined when it is not there as it is needed. */
export function findNodeTool(name) {
  if (name === "network-plugins") {
    return isExecutable(join(networkPluginFolder, "bridge")) ? networkPluginFolder : undefined;
  }
  // Not everybody who is root has the administrator's folders on the path.
  const file = onPath(name) ?? firstOf(["/usr/sbin", "/sbin"], name);
  return name === "busybox" && file !== undefined && !isStatic(file) ? undefined : file;
}

function isStatic(file) {
  const ldd = onPath("ldd");
  return ldd === undefined || !succeeds(ldd, [file]);
}

function succeeds(file, parameters) {
  try {
    execFileSync(file, parameters, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Debian's packages that a node needs and that are not here. */
export function missingNodePackages() {
  return Object.keys(nodePackages).filter((name) => !nodePackages[name]());
}

/** Why no node of Kubernetes can run on this machine, whatever is installed; undefined when one can. */
export function nodeObstacle() {
  if (process.platform !== "linux") return "a node of Kubernetes needs Linux";
  if (process.getuid?.() !== 0) return "a node of Kubernetes needs root";
  const missing = missingNodePackages();
  if (missing.length > 0 && onPath("apt-get") === undefined) {
    return `a node of Kubernetes needs ${missing.join(", ")}, and there is no apt-get that would bring them`;
  }
  const unshare = onPath("unshare");
  if (unshare === undefined)
    return "a node of Kubernetes needs unshare (util-linux), which is not on the path";
  const namespaces = ["--net", "--mount", "--pid", "--uts", "--fork"];
  if (succeeds(unshare, [...namespaces, "true"])) return undefined;
  return "this machine forbids namespaces, which a node of Kubernetes needs";
}
