import type { Command } from "commander";
import type { GlobalOptions } from "./options.ts";
import type { Session } from "./session.ts";

/**
 * Runs an action with a session, and closes it. The session's libraries are
 * loaded here and not earlier, so that --help and wrong use stay fast.
 *
 * @param check throws WrongUse for what can be seen to be wrong before anything is asked
 * @returns what commander takes as action: it gets the arguments, then the options with the global ones
 */
export function withSession(
  run: (session: Session, options: never, ...parameters: never[]) => Promise<void>,
  check: (options: never, ...parameters: never[]) => unknown = () => undefined,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const options = (given.at(-1) as Command).optsWithGlobals<GlobalOptions>();
    const parameters = given.slice(0, -2) as never[];
    check(options as never, ...parameters);
    const { openSession } = await import("./session.ts");
    using session = await openSession(options);
    await run(session, options as never, ...parameters);
  };
}
