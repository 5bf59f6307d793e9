import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commands, type CommandEntry } from "../../services/cli/commands/index.ts";
import { runCli } from "./run-cli.ts";

function paths(entries: readonly CommandEntry[], before: readonly string[] = []): string[][] {
  return entries.flatMap(({ name, children }) =>
    children === undefined ? [[...before, name]] : [[...before, name], ...paths(children, [...before, name])],
  );
}

function childrenOf(path: readonly string[]): string[] {
  const entry = path.reduce<{ children?: readonly CommandEntry[] | undefined }>(
    (at, word) => at.children?.find((child) => child.name === word) ?? {},
    { children: commands },
  );
  return entry.children?.map(({ name }) => name) ?? [];
}

describe("the help", () => {
  it.each(paths(commands).map((path) => [path.join(" "), path] as const))(
    "of `%s` has its summary, and an example where there is no further command",
    async (name, path) => {
      const { code, stdout, stderr } = await runCli(...path, "--help");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`Usage: qalqan ${name}`);
      expect(stdout).toContain("--json");
      const children = childrenOf(path);
      const begins =
        children.length === 0
          ? [/Examples?:\n {2}\S/]
          : children.map((child) => new RegExp(`^ +${child} `, "m"));
      for (const begin of begins) expect(stdout).toMatch(begin);
    },
  );

  it("of the whole lists every command and how to begin", async () => {
    const { stdout } = await runCli("--help");
    for (const { name, summary } of commands) {
      expect(stdout).toContain(name);
      expect(stdout.replaceAll(/\s+/g, " ")).toContain(summary);
    }
    expect(stdout).toContain("npx qalqan start");
  });

  it("loads no library that only talking to services needs", () => {
    // Start-up is felt with every command: what is heavy is imported when a session is opened.
    const light = ["program.ts", "options.ts", "action.ts", "failure.ts", "output.ts", "commands/index.ts"];
    for (const file of light) {
      const source = readFileSync(new URL(`../../services/cli/${file}`, import.meta.url), "utf8");
      expect(source.match(/^import (?!type).*(grpc|proto\/|infra\/)/gm) ?? []).toEqual([]);
    }
  });
});

describe("completion", () => {
  it.each(["bash", "zsh", "fish"])("has a script for %s", async (shell) => {
    const { code, stdout } = await runCli("complete", shell);
    expect(code).toBe(0);
    expect(stdout).toContain("qalqan");
    expect(stdout).toContain("complete --");
  });

  it.each([
    [["dir"], "directive"],
    [["directive", "app"], "approve"],
    [["directive", "issue", "--act"], "--action"],
    [["directive", "issue", "--action", ""], "divert"],
    [["screen", "--region", "al"], "almaty-region"],
    [["local", "k"], "kill"],
  ])("of %j suggests %s", async (words, suggestion) => {
    const { code, stdout } = await runCli("complete", "--", ...words);
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.split("\t")[0])).toContain(suggestion);
  });
});
