import { copyFileSync, readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

const logBytesMax = 16 * 1024 ** 2;
const watchMs = 15_000;
const tailBytes = 4_096;

/**
 * Bounds the size of the logs: one that grew too large is copied to `<name>.1`
 * and emptied. The processes write into their files themselves and go on doing
 * so (they append); lines written between copy and emptying are lost.
 */
export function boundLogs(folder: string): { stop: () => void } {
  const bound = () => {
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      if (!name.endsWith(".log") || statSync(file).size < logBytesMax) continue;
      copyFileSync(file, `${file}.1`);
      truncateSync(file);
    }
  };
  const timer = setInterval(bound, watchMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** The last lines of a log, from a position on; empty when there is none. */
export function tailOf(file: string, fromByte: number): string {
  try {
    const bytes = readFileSync(file).subarray(fromByte);
    return bytes
      .subarray(Math.max(0, bytes.length - tailBytes))
      .toString("utf8")
      .trim();
  } catch {
    return "";
  }
}

export function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

const reasonLengthMax = 300;

/** The line of a log's end that best says why a process ended: its last error, else its last line. */
export function reasonIn(tail: string): string {
  const lines = tail.split("\n").map(spokenLine);
  const error = lines.findLast((line) => /error|fatal|panic|cannot|no space left/i.test(line));
  return (error ?? lines.at(-1) ?? "").trim().slice(0, reasonLengthMax);
}

/** A structured line's error and message as words; any other line as it is. */
function spokenLine(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level?: string;
      msg?: string;
      err?: { message?: string };
    };
    return [level, msg, err?.message].filter((part) => part !== undefined).join(": ");
  } catch {
    return line;
  }
}
