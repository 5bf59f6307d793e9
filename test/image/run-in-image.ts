import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onPath } from "#infra/toolchain/locate.mjs";

const unshare = onPath("unshare") ?? "unshare";

/**
 * Whether this machine lets a process have namespaces, and so a root of its
 * own; without, what is in an image cannot be run here.
 */
export const canRunImages = ((): boolean => {
  try {
    execFileSync(unshare, [...namespaces(0), "--root=/", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

function namespaces(user: number): string[] {
  return [
    `--map-user=${user}`,
    `--map-group=${user}`,
    "--user",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
  ];
}

/** Runs a program of an unpacked image as a container would: its own root, user and environment, nothing of the machine's. */
export function runInImage(
  root: string,
  user: number,
  folder: string,
  environment: Readonly<Record<string, string>>,
  command: readonly string[],
  input = "",
): { readonly code: number | null; readonly output: string } {
  for (const each of ["proc", "dev"]) mkdirSync(join(root, each), { recursive: true });
  // A container has the device; whoever is not root here cannot make one.
  writeFileSync(join(root, "dev", "null"), "");
  const { status, stdout, stderr, error } = spawnSync(
    unshare,
    [...namespaces(user), `--root=${root}`, `--wd=${folder}`, ...command],
    { env: { ...environment }, input, encoding: "utf8", timeout: 25_000 },
  );
  if (error !== undefined) throw error;
  return { code: status, output: `${stdout}${stderr}` };
}
