import type { Command } from "commander";
import { parseCount } from "../../durations.ts";
import { lineFault } from "../../local-fault.ts";
import { examples } from "../../options.ts";

/** A satellite's round trip is twice 300 ms; 64 kbit/s is a poor telephone line. */
const defaults = { latencyMs: "300", bytesPerSecond: "8000" } as const;
const latencyMsMax = 10_000;
const bytesPerSecondMin = 1_000;
const bytesPerSecondMax = 1_000_000_000;

export function define(command: Command): void {
  command
    .option("--latency <ms>", "each way, in milliseconds", defaults.latencyMs)
    .option("--bandwidth <n>", "bytes a second, each way", defaults.bytesPerSecond);
  lineFault(command, "slow", (control, region, { latency = "", bandwidth = "" }) =>
    control.slow(region, {
      latencyMs: parseCount("latency", latency, 0, latencyMsMax),
      bytesPerSecond: parseCount("bandwidth", bandwidth, bytesPerSecondMin, bytesPerSecondMax),
    }),
  );
  examples(command, "qalqan local slow astana", "qalqan local slow astana --latency 50 --bandwidth 1000000");
}
