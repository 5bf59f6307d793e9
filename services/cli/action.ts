import type { Command } from "commander";
import type { GlobalOptions } from "./options.ts";
import type { Session } from "./session.ts";

/**
 * Runs an action with a session, and closes it. The session's libraries are
 * loaded here and not earlier, so that --help and wrong use stay fast.
 *
 * @returns what commander takes as action: it gets the arguments, then the options with the global ones
 */
export function withSession<Parameters extends readonly unknown[], Options>(
  run: (session: Session, options: Options & GlobalOptions, ...parameters: Parameters) => Promise<void>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const parameters = given.slice(0, -2) as unknown as Parameters;
    const options = command.optsWithGlobals<Options & GlobalOptions>();
    const { openSession } = await import("./session.ts");
    using session = await openSession(options);
    await run(session, options, ...parameters);
  };
}
