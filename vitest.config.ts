import { defineConfig } from "vitest/config";

/**
 * Two projects: tests that start a nation (dozens of processes) run one file
 * at a time, and only after everything else, so that two cores are enough.
 */
export default defineConfig({
  test: {
    environment: "node",
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/nation/**"],
          testTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "nation",
          include: ["test/nation/**/*.test.ts"],
          testTimeout: 180_000,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
