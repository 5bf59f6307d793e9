/** Builds tools from their pinned Go modules. Plain JavaScript without packages. */
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  broughtTools,
  builtTool,
  cacheFolder,
  findPinnedTool,
  isAtLeast,
  onPath,
  versionOf,
} from "./locate.mjs";
import { pinnedTool } from "./pins.mjs";
import { Missing, say, step } from "./step.mjs";

/** Gets the named tools that are not there, one after the other: each build takes all cores for itself. */
export async function prepareTools(names) {
  for (const name of names) {
    if (findPinnedTool(name) === undefined) await build(name);
  }
}

/**
 * Builds beside the cache's place and renames: two builds at once end in the
 * same good file.
 */
async function build(name) {
  const tool = pinnedTool(name);
  const { pin } = tool;
  const go = requireGo(name, tool);
  for (const { file, version } of broughtTools(name)) {
    say(`${file} is ${version ?? "of no version"}, and ${name} ${tool.elsewhere.versionMin} is needed`);
  }
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), "build-"));
  try {
    for (const file of pin.files) copyFileSync(join(pin.folder, file), join(folder, file));
    const output = join(folder, name);
    await step(
      `building ${titleOf(name, pin)} (once, about ${tool.coldBuildSeconds} s)`,
      go,
      ["build", ...pin.buildFlags, "-o", output, tool.package],
      {
        cwd: folder,
        env: { ...process.env, GOTOOLCHAIN: "local", CGO_ENABLED: "0", GOFLAGS: "", GOWORK: "off" },
      },
    );
    const target = builtTool(name);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(output, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function requireGo(name, { elsewhere, pin }) {
  const go = onPath("go");
  const version = go === undefined ? undefined : versionOf(go, ["env", "GOVERSION"]);
  if (go !== undefined && version !== undefined && isAtLeast(version, pin.goVersion)) return go;
  const found = version === undefined ? "no Go" : `Go ${version}`;
  const reason = `cannot be built, since ${found} was found where Go ${pin.goVersion} is needed`;
  const remedy = `install Go ${pin.goVersion} or newer (https://go.dev/dl/) and run this again`;
  if (elsewhere === undefined) throw new Missing(`${titleOf(name, pin)} ${reason}.\n  Please ${remedy}.`);
  const place = elsewhere.places.includes("path") ? "on the path" : "in the folder KUBEBUILDER_ASSETS";
  throw new Missing(
    `${name} ${elsewhere.versionMin} or newer is needed: none is ${place}, and it ${reason}.\n` +
      `  Either put ${name} ${place}: ${elsewhere.releases}\n  or ${remedy}.`,
  );
}

function titleOf(name, { version }) {
  return version === undefined ? name : `${name} ${version}`;
}
