#!/usr/bin/env node
import { spawn } from "node:child_process";
import { enableCompileCache } from "node:module";
import { constants } from "node:os";
import { join } from "node:path";

/** Node runs the project's files as they are from this version on. */
const nodeMajorMin = 24;
const silentWarnings: readonly string[] = ["ExperimentalWarning", "DeprecationWarning"];

if (Number(process.versions.node.split(".")[0]) < nodeMajorMin) {
  runWithOwnNode();
} else {
  // What Node says of its own parts and of libraries is nothing a person here can act upon.
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (silentWarnings.includes(warning.name)) return;
    process.stderr.write(`${warning.name}: ${warning.message}\n`);
  });
  enableCompileCache();
  const { runProgram } = await import("./program.ts");
  endWith(await runProgram(process.argv.slice(2)));
}

/** What was said goes out first; a connection that hangs while it is made must not keep the command alive. */
function endWith(exitCode: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
}

/** The same command with the Node of this checkout: same terminal, same signals, same exit code. */
function runWithOwnNode(): void {
  const node = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "node");
  const child = spawn(node, process.argv.slice(1), { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Ctrl-C on a terminal has reached the child already: it is in the same process group.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.once("error", () => {
    process.stderr.write(
      `error: Node ${nodeMajorMin} is needed, this is ${process.versions.node}\n  what to do: run \`npm ci\` in the checkout; it brings its own Node\n`,
    );
    process.exitCode = 1;
  });
  child.once("exit", (code, signal) => {
    process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
  });
}
