import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { breakingChanges } from "#proto/breaking.ts";
import { checkout } from "./sources.ts";

const before = `syntax = "proto3";
package qalqan.example.v1;
message Report {
  string id = 1;
  string number = 2;
}
`;
const grown = before.replace("number = 2;", "number = 2;\n  string trunk = 3;");
const broken = before.replace("  string number = 2;\n", "");

let contract = "";
const git = (...parameters: string[]) =>
  execFileSync("git", [
    "-C",
    contract,
    "-c",
    "user.name=test",
    "-c",
    "user.email=test@localhost",
    ...parameters,
  ]);
const write = (text: string) => writeFile(join(contract, "report.proto"), text);
const commit = (message: string) => {
  git("add", ".");
  git("commit", "-q", "-m", message);
};

beforeAll(async () => {
  contract = await mkdtemp(join(tmpdir(), "qalqan-contract-test-"));
  git("init", "-q", "-b", "main");
  await cp(join(checkout, "proto", "buf.yaml"), join(contract, "buf.yaml"));
});
afterAll(() => rm(contract, { recursive: true, force: true }));

test("a contract that breaks is red before and after the commit, until it is mended or declared", async () => {
  const breaks = async () => (await breakingChanges(contract)).breaks.length;

  await write(before);
  expect(await breakingChanges(contract)).toEqual({ versions: [], breaks: [] });
  commit("first");

  await write(grown);
  expect(await breaks()).toBe(0);
  commit("grow");

  await write(broken);
  expect(await breaks()).toBeGreaterThan(0);
  commit("break");
  expect(await breaks()).toBeGreaterThan(0);

  await write(grown);
  expect(await breaks()).toBe(0);

  await write(`${broken}// declared\n`);
  commit("break\n\nBREAKING CHANGE: numbers are gone");
  expect(await breaks()).toBe(0);
});
