import { defineConfig } from "vitest/config";

/**
 * Three projects: tests that start a nation or clusters (dozens of processes)
 * run one file at a time, and only after everything else, so that two cores are
 * enough. The waits end what hangs, also on a machine that is much slower.
 */
export default defineConfig({
  test: {
    environment: "node",
    hookTimeout: 600_000,
    setupFiles: ["test/own-ports.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/nation/**", "test/kubernetes/**"],
          testTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "nation",
          include: ["test/nation/**/*.test.ts"],
          testTimeout: 900_000,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "kubernetes",
          include: ["test/kubernetes/**/*.test.ts"],
          testTimeout: 900_000,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
