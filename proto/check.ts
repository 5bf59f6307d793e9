/** Checks the contract: lint, generated code as fresh as each compiler gives it, nothing broken. */
import { breakingChanges } from "./breaking.ts";
import { installedCompilers, runTool, staleFiles } from "./generate.ts";

const contract = import.meta.dirname;

function complain(what: string, lines: string[], remedy: string): void {
  console.error([what, ...lines.map((line) => `  ${line}`), remedy].join("\n"));
  process.exitCode = 1;
}

async function checkLint(): Promise<void> {
  try {
    await runTool("buf", ["lint"], contract);
  } catch (error) {
    if (!(error instanceof Error && "stdout" in error)) throw error;
    complain("buf lint:", String(error.stdout).trim().split("\n"), "Its rules are in proto/buf.yaml.");
  }
}

async function checkFreshness(): Promise<void> {
  const compilers = installedCompilers();
  for (const compiler of compilers) {
    const stale = await staleFiles(compiler);
    if (stale.length > 0) complain(`Not what ${compiler} generates:`, stale, "Run npm run generate.");
  }
  console.log(`generated code was compared with that of: ${compilers.join(", ")}`);
}

async function checkBreaks(): Promise<void> {
  const { versions, breaks } = await breakingChanges(contract);
  if (breaks.length > 0) {
    const remedy = "Add, never change or remove; or say BREAKING CHANGE: and why in the commit.";
    complain("The contract breaks what git holds of it:", breaks, remedy);
  }
  console.log(
    `the contract was compared with: ${versions.join(", ") || "nothing, git has no version of it"}`,
  );
}

await checkLint();
await checkFreshness();
await checkBreaks();
