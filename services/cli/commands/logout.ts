import type { Command } from "commander";
import { removeLogin } from "../login-file.ts";
import { examples, type GlobalOptions } from "../options.ts";
import { answer } from "../output.ts";

export function define(command: Command): void {
  command.action((_given: unknown, self: Command) => {
    const options = self.optsWithGlobals<GlobalOptions>();
    const wasThere = removeLogin(options);
    answer(options, { loggedOut: wasThere }, () => (wasThere ? "logged out" : "nobody was logged in"));
  });
  examples(command, "qalqan logout");
}
