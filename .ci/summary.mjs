/**
 * Prints `N passed, N failed` from vitest's report, and exits with 1 when anything failed:
 *
 *   node .ci/summary.mjs REPORT [FAILED PHASE ...]
 *
 * A test file that could not be loaded counts as one failure, and so does a
 * failed phase that no failed test explains. No test at all is a failure.
 */
import { readFileSync } from "node:fs";

const [file, ...failedPhases] = process.argv.slice(2);

function readReport() {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // The tests ended before they could write it.
    return { testResults: [] };
  }
}

let passed = 0;
let failed = 0;
let skipped = 0;
for (const { status, assertionResults } of readReport().testResults) {
  const count = (...states) => assertionResults.filter((test) => states.includes(test.status)).length;
  const failures = count("failed");
  passed += count("passed");
  skipped += count("pending", "skipped", "todo", "disabled");
  failed += status === "failed" ? Math.max(failures, 1) : failures;
}

const explained = failed > 0 ? ["test"] : [];
failed += failedPhases.filter((phase) => !explained.includes(phase)).length;
if (passed + failed === 0) failed = 1;

for (const phase of failedPhases) console.log(`ci: failed: ${phase}`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed === 0 ? 0 : 1;
