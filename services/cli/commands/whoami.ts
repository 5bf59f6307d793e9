import type { Command } from "commander";
import { readLogin } from "../login-file.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer } from "../output.ts";

export function define(command: Command): void {
  command.action((_given: unknown, self: Command) => {
    const options = self.optsWithGlobals<GlobalOptions>();
    const login = readLogin(options);
    const { person = null, role = null, region = null } = login ?? {};
    answer(options, { person, role, region }, () =>
      login === undefined
        ? "nobody is logged in: each command acts as the sample person who may do it, and says so"
        : `${login.person}, ${login.role} of ${login.region}`,
    );
  });
  examples(command, "qalqan whoami --json");
}
