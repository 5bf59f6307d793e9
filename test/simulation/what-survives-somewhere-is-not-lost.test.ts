import { expect, test } from "vitest";
import { plans } from "./plans.ts";
import { runSeeds, seedsOf } from "./seeds.ts";

const file = "test/simulation/what-survives-somewhere-is-not-lost.test.ts";
const timeoutMs = 3_600_000;
const regionSeeds = 700;
const hubSeeds = 300;
const bothSeeds = 300;
const capitalSeeds = 300;
const everywhereSeeds = 300;

test(
  "a region whose store or database comes back older loses nothing that is anywhere, and its forks heal",
  async () => {
    const totals = await runSeeds(file, seedsOf(regionSeeds), plans["disks of regions"]);
    console.log(`simulation of older disks in regions: ${totals.describe()}`);
    expect(totals.runs).toBeGreaterThan(0);
  },
  timeoutMs,
);

test(
  "a hub that comes back older is filled up by the regions and the capital",
  async () => {
    const totals = await runSeeds(file, seedsOf(hubSeeds), plans["disk of the hub"]);
    console.log(`simulation of an older hub: ${totals.describe()}`);
    expect(totals.runs).toBeGreaterThan(0);
  },
  timeoutMs,
);

test(
  "a hub and a region that come back older together are read again from where they are another history",
  async () => {
    const totals = await runSeeds(file, seedsOf(bothSeeds), plans["disks at both ends"]);
    console.log(`simulation of older disks at both ends: ${totals.describe()}`);
    expect(totals.runs).toBeGreaterThan(0);
  },
  timeoutMs,
);

test(
  "a capital whose database comes back older takes its history back from the hub, and folds the same",
  async () => {
    const totals = await runSeeds(file, seedsOf(capitalSeeds), plans["disk of the capital"]);
    console.log(`simulation of an older database of the capital: ${totals.describe()}`);
    expect(totals.runs).toBeGreaterThan(0);
  },
  timeoutMs,
);

test(
  "a capital that was put back folds nothing before it has read what the hub had, whatever epochs are opened meanwhile",
  async () => {
    const totals = await runSeeds(file, seedsOf(everywhereSeeds), plans["disks everywhere"]);
    console.log(`simulation of older disks everywhere: ${totals.describe()}`);
    expect(totals.runs).toBeGreaterThan(0);
  },
  timeoutMs,
);
