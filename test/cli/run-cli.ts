import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../services/cli/main.ts", import.meta.url));

/** Runs the real command in a process of its own. */
export async function runCli(
  ...words: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { QALQAN_DATA: _ignored, ...environment } = process.env;
  const child = spawn(process.execPath, [main, ...words], {
    env: { ...environment, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  return { code: code ?? -1, stdout, stderr };
}
