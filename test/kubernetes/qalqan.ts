import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of `qalqan` to its end, with these variables beside the test's own. */
export function qalqan(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { cwd: checkout, env: { ...process.env, ...environment }, maxBuffer: 64 * 1024 ** 2 };
    execFile(process.execPath, ["services/cli/main.ts", ...words], options, (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === "number" ? error.code : error === null ? 0 : 1,
        stdout,
        stderr,
      });
    });
  });
}
