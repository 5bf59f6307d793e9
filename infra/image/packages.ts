import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../problem.ts";
import { copy, filesBelow, type Entry } from "./entries.ts";

/** What the lock file says of one package (npm, `package-lock.json`, `packages`). */
export interface Locked {
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** The lock file of a checkout, and its root package as package.json has it. */
export interface PackageLock {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, Locked>>;
}

/** Packages by the folder that they are installed in: `node_modules/a/node_modules/b`. */
export type Packages = ReadonlyMap<string, Locked>;

/** The package whose only content is the binary of Node, which the image has in a place of its own. */
export const nodePackage = "node";

export function readLock(checkout: string): PackageLock {
  return JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8")) as PackageLock;
}

/** What the project needs when it runs, as its package.json has it, without Node itself. */
export function dependenciesOf(lock: PackageLock): Readonly<Record<string, string>> {
  const { [nodePackage]: node, ...others } = lock.packages[""]?.dependencies ?? {};
  if (node === undefined) throw new RangeError(`package.json has no dependency ${nodePackage}`);
  return others;
}

/**
 * Everything that the named packages need, as Node finds it: nearest folder
 * first. What is optional counts where it is installed, which leaves out the
 * packages of other platforms.
 *
 * The flags `dev` and `devOptional` of the lock file do not say it: they mark
 * what a tool of the project brings as well.
 *
 * @throws Problem `package-missing`: not installed, or in another version than the lock file has
 */
export function packagesNeeded(checkout: string, lock: PackageLock, names: Iterable<string>): Packages {
  const needed = new Map<string, Locked>();
  const pending = [...names].map((name) => find(lock, "", name) ?? missing(name));
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const locked = lock.packages[path];
    if (locked === undefined || needed.has(path)) continue;
    checkInstalled(checkout, path, locked);
    needed.set(path, locked);
    for (const [name, isOptional] of needsOf(locked)) {
      const place = find(lock, path, name);
      if (place !== undefined && (!isOptional || existsSync(join(checkout, place)))) pending.push(place);
      else if (!isOptional) missing(name);
    }
  }
  return new Map([...needed].toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

function needsOf(locked: Locked): [name: string, isOptional: boolean][] {
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = locked;
  const isPeerWanted = (name: string) => locked.peerDependenciesMeta?.[name]?.optional !== true;
  return [
    ...Object.keys(dependencies).map((name): [string, boolean] => [name, name in optionalDependencies]),
    ...Object.keys(optionalDependencies).map((name): [string, boolean] => [name, true]),
    ...Object.keys(peerDependencies)
      .filter(isPeerWanted)
      .map((name): [string, boolean] => [name, false]),
  ];
}

/** The folder in which a package finds another one. */
function find(lock: PackageLock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")))) {
    const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    if (path in lock.packages) return path;
    if (folder === "") return undefined;
  }
}

function checkInstalled(checkout: string, path: string, { version }: Locked): void {
  const file = join(checkout, path, "package.json");
  const installed = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { version?: string }).version
    : undefined;
  // Some packages write a v before it, which npm leaves out.
  if (installed?.replace(/^v/, "") !== version) missing(path, installed, version);
}

function missing(path: string, installed?: string, wanted?: string): never {
  const version = wanted === undefined ? "" : ` ${wanted}`;
  throw new Problem({
    code: "package-missing",
    field: "node_modules",
    value: path,
    message: `package-lock.json needs ${path}${version}; ${installed === undefined ? "it is not installed" : `installed is ${installed}`}`,
    remedy: "run `npm ci`",
  });
}

/**
 * What no program reads: maps and types, and TypeScript, which Node refuses
 * below node_modules; tests and documents at the top of a package. Licences stay.
 */
const unread = /\.(map|[cm]?ts|tsx|markdown)$|^(?!.*licen[cs]e)(?!.*notice).*\.md$/i;
const unreadFolder = /^(\.github|__tests__|tests?|docs?|examples?|bench(marks?)?)$/;

/**
 * The packages' files that a program reads, at the same places below a folder.
 *
 * @param into folder of the copy that has node_modules, without slash at its end
 */
export function packageFiles(checkout: string, packages: Packages, into: string): Entry[] {
  return [...packages.keys()].flatMap((path) => {
    const folder = join(checkout, path);
    return filesBelow(folder, (within) => within !== "node_modules" && !unreadFolder.test(within))
      .filter((found) => !found.isLink && !unread.test(found.path))
      .map((found) => copy(`${into}/${path}/${found.path}`, join(folder, found.path)));
  });
}

/** The binary of Node that npm has installed, and its version. */
export function nodeOfPackages(checkout: string): { readonly file: string; readonly version: string } {
  const folder = join(checkout, "node_modules", nodePackage);
  const file = join(folder, "bin", "node");
  const locked = readLock(checkout).packages[`node_modules/${nodePackage}`];
  if (!existsSync(file) || locked === undefined) missing(`node_modules/${nodePackage}`);
  checkInstalled(checkout, `node_modules/${nodePackage}`, locked);
  return { file, version: locked.version };
}
