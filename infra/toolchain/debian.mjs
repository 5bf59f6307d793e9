/** Installs packages of Debian, as root and only what is named. Plain JavaScript without packages. */
import { tmpdir } from "node:os";
import { onPath } from "./locate.mjs";
import { Missing, step } from "./step.mjs";

/**
 * @param purpose what they are for, for whoever has to install them by hand
 * @param aptOptions further options of `apt-get install`
 * @throws Missing where there is no apt-get, or this is not root
 */
export async function installFromDebian(packages, purpose, aptOptions = []) {
  const apt = onPath("apt-get");
  if (apt === undefined || process.getuid?.() !== 0) {
    throw new Missing(`${purpose}: sudo apt-get install -y ${packages.join(" ")}`);
  }
  const options = { cwd: tmpdir(), env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
  await step("reading Debian's list of packages (apt-get update)", apt, ["update"], options);
  await step(
    `installing Debian's ${packages.join(", ")} (apt-get install)`,
    apt,
    ["install", "-y", ...aptOptions, ...packages],
    options,
  );
}
