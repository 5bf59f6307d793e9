/** How the set-up speaks, and how it runs what takes long. Plain JavaScript without packages. */
import { spawn } from "node:child_process";

/** Something that the set-up cannot get by itself; the message says who can, and how. */
export class Missing extends Error {}

export const say = (line) => process.stderr.write(`prepare: ${line}\n`);

/**
 * Runs a long step; a line every ten seconds shows that it goes on.
 *
 * @throws Missing with the command's last words when it fails
 */
export async function step(what, file, parameters, options) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  say(`${what} ...`);
  const ticker = setInterval(() => say(`${what} ... ${seconds()} s`), 10_000);
  try {
    await new Promise((resolve, reject) => {
      const child = spawn(file, parameters, { ...options, stdio: ["ignore", "pipe", "pipe"] });
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
