import { directiveBenchmark } from "./directive.ts";
import { syncBenchmark } from "./sync.ts";

/** The benchmarks by name: each prints what it measured as a ratio to its target. */
const benchmarks: Readonly<Record<string, (json: boolean, flags: readonly string[]) => Promise<void>>> = {
  directive: directiveBenchmark,
  sync: syncBenchmark,
};

const [name = "", ...flags] = process.argv.slice(2);
const benchmark = benchmarks[name];
if (benchmark === undefined) {
  console.error(`There is no benchmark “${name}”. One of: ${Object.keys(benchmarks).join(", ")}`);
  console.error("For example: npm run bench -- directive [--json]");
  process.exitCode = 2;
} else {
  await benchmark(flags.includes("--json"), flags);
}
