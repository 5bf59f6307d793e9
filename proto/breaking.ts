/**
 * Breaking changes of the contract.
 *
 * What is stored in streams outlives every release, so the contract may grow
 * and never break. The files as they are, committed or not, are compared with
 * the last versions that git holds, so a break stays red after it was
 * committed, in every clone with history. A commit that changes the contract
 * and has a line `BREAKING CHANGE: why` begins anew.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runTool } from "./generate.ts";

const run = promisify(execFile);

/** Each costs a fifth of a second. */
const versionsMax = 10;

/** One line for each break that buf found, and the commits that the contract was compared with. */
export interface BreakingReport {
  versions: string[];
  breaks: string[];
}

/** Compares the folder of the contract with its last versions; none outside git and before the first commit. */
export async function breakingChanges(contract: string): Promise<BreakingReport> {
  const git = async (...parameters: string[]) =>
    (await run("git", ["-C", contract, ...parameters])).stdout.trim();
  const commits = (count: number, ...parameters: string[]) =>
    git("log", `-${count}`, "--format=%h", ...parameters, "--", "*.proto").catch(() => "");

  const declared = await commits(1, "--grep=^BREAKING CHANGE: ");
  const since = declared === "" ? [] : ["HEAD", "--not", `${declared}^@`];
  const versions = (await commits(versionsMax, ...since)).split("\n").filter((version) => version !== "");

  const folder = await mkdtemp(join(tmpdir(), "qalqan-contract-"));
  const breaks = new Set<string>();
  try {
    for (const version of versions) {
      const archive = join(folder, `${version}.tar`);
      await git("archive", `--output=${archive}`, version, "--", ".");
      for (const line of await compare(contract, archive)) breaks.add(line);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { versions, breaks: [...breaks] };
}

async function compare(contract: string, archive: string): Promise<string[]> {
  try {
    await runTool("buf", ["breaking", "--against", archive], contract);
    return [];
  } catch (error) {
    // Buf ends with 100 and prints what it found; anything else is its own failure.
    if (error instanceof Error && "code" in error && error.code === 100 && "stdout" in error) {
      return String(error.stdout).trim().split("\n");
    }
    throw error;
  }
}
