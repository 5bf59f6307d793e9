import { describe, expect, it } from "vitest";
import { runCli } from "./run-cli.ts";

const nowhere = ["--data", "/tmp/no-such-qalqan-folder"];

describe("wrong use of the command line", () => {
  it.each([
    ["an unknown command", ["frobnicate"], "command", "frobnicate"],
    ["an unknown command of a group", ["directive", "frobnicate"], "command", "frobnicate"],
    ["a missing command", [], "command", ""],
    ["an unknown option", ["status", "--frobnicate"], "frobnicate", ""],
    ["a missing option", ["screen", "--region", "astana", "--to", "112", "--trunk", "intl-1"], "from", ""],
    ["an option without its value", ["directive", "list", "--region"], "region", ""],
    [
      "an end that is neither a span nor a time",
      [..."directive extend astana-01ARZ3NDEKTSV4RRFFQ69G5FAV --expires soon".split(" ")],
      "expires",
      "soon",
    ],
    ["an id that names no region", ["directive", "show", "nonsense"], "id", "nonsense"],
    ["neither an id nor a batch", ["directive", "approve"], "id", ""],
    ["a process without its service", ["local", "kill", "astana"], "process", "astana"],
    ["a fault for a server elsewhere", ["local", "cut", "astana", "--server", "h:1"], "server", "h:1"],
    ["a wait that is too short", ["directive", "issue", ...issued(), "--wait", "0"], "wait", "0"],
    [
      "an action that there is not",
      ["directive", "issue", ...issued(), "--action", "shout"],
      "action",
      "shout",
    ],
    ["a state that there is not", ["directive", "list", "--state", "asleep"], "state", "asleep"],
    [
      "an override that is no revision",
      ["directive", "issue", ...issued(), "--override", "-1"],
      "override",
      "",
    ],
  ])("%s ends with code 2 and names the field", async (_what, words, field, value) => {
    const json = await runCli(...words, ...nowhere, "--json");
    expect(json.code).toBe(2);
    const { error } = JSON.parse(json.stdout) as { error: Record<string, string> };
    expect(error).toMatchObject({ code: "wrong-use", field });
    expect(error["value"]).toContain(value);
    expect(error["message"]).not.toBe("");
    expect(error["remedy"]).not.toBe("");
    expect(json.stderr).toBe("");
  });

  it("is also a word that only the domain knows", async () => {
    const { code, stdout } = await runCli("trunk", "mode", "intl-1", "loud", ...nowhere, "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { field: "mode", value: "loud" } });
  });

  it("is said to a person on standard error, with what to do", async () => {
    const { code, stdout, stderr } = await runCli("statsu");
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toBe(
      "error: this command is not known\n  command: statsu\n  what to do: Did you mean status? see `qalqan --help`\n",
    );
  });
});

describe("a command that cannot be done", () => {
  it("ends with code 1 when nothing runs in the data folder", async () => {
    const { code, stdout } = await runCli("status", ...nowhere, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "not-running", field: "data" } });
  });

  it("says which option lacks when a server elsewhere is named", async () => {
    const { code, stdout } = await runCli("directive", "bases", "--server", "localhost:1", "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { field: "ca", remedy: expect.stringContaining("--ca FILE") },
    });
  });

  it("reads global options also before the command, whatever they are called", async () => {
    const { code, stdout } = await runCli("--data", "status", "--json", "whoami");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ person: null, role: null, region: null });
  });

  it("takes what follows --wait for an id when it is no number", async () => {
    const { code, stdout } = await runCli(
      ..."directive revoke --reason mistake --wait astana-01ARZ3NDEKTSV4RRFFQ69G5FAV --json".split(" "),
      ...nowhere,
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "not-running" } });
  });
});

function issued(): string[] {
  return "--region astana --number 1 --action block --reason fraud --expires 7d".split(" ");
}
