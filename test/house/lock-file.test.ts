import { expect, test } from "vitest";
import { textOf } from "./sources.ts";

interface Locked {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/**
 * npm leaves a platform's package out of the lock file when the registry at
 * hand does not have it, and `npm ci` then refuses the file everywhere.
 */
test("the lock file has every package that its packages name, those of other platforms too", () => {
  const packages: Record<string, Locked> = JSON.parse(textOf("package-lock.json")).packages;

  const isLocked = (from: string, name: string): boolean => {
    if (`${from}${from === "" ? "" : "/"}node_modules/${name}` in packages) return true;
    return from !== "" && isLocked(from.slice(0, Math.max(0, from.lastIndexOf("/node_modules/"))), name);
  };
  const missing = Object.entries(packages).flatMap(([path, locked]) =>
    Object.keys({ ...locked.dependencies, ...locked.optionalDependencies })
      .filter((name) => !isLocked(path, name))
      .map((name) => `${path} needs ${name}`),
  );
  expect(missing).toEqual([]);
});
