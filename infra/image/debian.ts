import { execFile } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join, posix } from "node:path";
import { promisify } from "node:util";
import { Problem } from "../problem.ts";
import { cacheFolder, onPath } from "../toolchain/locate.mjs";
import { sha256OfFile } from "./archive.ts";
import { copy, filesBelow, link, type Entry } from "./entries.ts";

/** A package of Debian, checked and unpacked. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Of the .deb file, as Debian's signed list has it. */
  readonly sha256: string;
  readonly folder: string;
}

/** A package as apt offers it. */
interface Offer {
  readonly file: string;
  readonly sha256: string;
}

const run = promisify(execFile);
const outputBytesMax = 16 << 20;

/** Packages and lists that were fetched; a second image needs no network. */
const folder = () => join(cacheFolder(), "debian");

/**
 * Gets packages of the machine's Debian in the version that apt would install,
 * without installing anything: apt checks what it fetches against Debian's
 * signed lists. Where the machine has no lists, or old ones that name what is
 * gone, own lists are fetched; so it needs no root.
 *
 * @throws Problem `apt-missing`, `debian-unreachable`
 */
export async function fetchDebianPackages(names: readonly string[]): Promise<DebianPackage[]> {
  for (const tool of ["apt-get", "dpkg-deb"]) {
    if (onPath(tool) === undefined) throw aptMissing(tool, names);
  }
  mkdirSync(folder(), { recursive: true });
  const attempts = [
    () => fetchWith([], names),
    () => fetchWith(ownLists(), names),
    async () => {
      await apt([...ownLists(), "update"]);
      return fetchWith(ownLists(), names);
    },
  ];
  let failure: unknown;
  for (const attempt of attempts) {
    try {
      return await attempt();
    } catch (error) {
      failure = error;
    }
  }
  throw unreachable(names, failure);
}

/** Options by which apt keeps its lists in a folder of ours. */
function ownLists(): string[] {
  const lists = join(folder(), "lists");
  const cache = join(folder(), "apt");
  for (const each of [lists, cache]) mkdirSync(join(each, "partial"), { recursive: true });
  return ["-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${cache}`];
}

async function fetchWith(options: readonly string[], names: readonly string[]): Promise<DebianPackage[]> {
  const packages = await fetchNamed(options, names);
  const licences = packages.flatMap((each) => licenceElsewhere(each) ?? []);
  const others = [...new Set(licences)].filter((name) => !names.includes(name));
  return others.length === 0 ? packages : [...packages, ...(await fetchNamed(options, others))];
}

/** A package may have its licence in another one, by a link (Debian policy, 12.5). */
function licenceElsewhere({ name, folder: files }: DebianPackage): string | undefined {
  const documents = join(files, "usr", "share", "doc", name);
  return lstatSync(documents, { throwIfNoEntry: false })?.isSymbolicLink() === true
    ? readlinkSync(documents)
    : undefined;
}

async function fetchNamed(options: readonly string[], names: readonly string[]): Promise<DebianPackage[]> {
  const listed = await apt([...options, "--print-uris", "download", ...names]);
  const offers = Array.from(
    listed.matchAll(/^'[^']+' (\S+\.deb) \d+ SHA256:([0-9a-f]{64})$/gm),
    ([, file = "", sha256 = ""]): Offer => ({ file, sha256 }),
  );
  const packages: DebianPackage[] = [];
  for (const name of names) {
    const offer = offers.find(({ file }) => file.startsWith(`${name}_`));
    if (offer === undefined) throw new Error(`apt-get does not offer ${name}`);
    packages.push(await unpacked(name, offer, options));
  }
  return packages;
}

async function unpacked(name: string, offer: Offer, options: readonly string[]): Promise<DebianPackage> {
  const { file, sha256 } = offer;
  const [, version = "", architecture = ""] = file
    .replace(/\.deb$/, "")
    .split("_")
    .map(decodeURIComponent);
  const target = join(folder(), `${name}-${sha256}`);
  if (!existsSync(target)) {
    const building = mkdtempSync(join(folder(), "fetch-"));
    try {
      await apt([...options, "download", `${name}=${version}`], building);
      if ((await sha256OfFile(join(building, file))) !== sha256) {
        throw new Error(`${file} is not what Debian's list says`);
      }
      await run("dpkg-deb", ["--extract", join(building, file), join(building, "files")]);
      rename(join(building, "files"), target);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  }
  return { name, version, architecture, sha256, folder: target };
}

/** Two fetches at once end in the same folder. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

async function apt(parameters: readonly string[], cwd = folder()): Promise<string> {
  // Root's own folders are closed to the user that apt would fetch as; what was fetched is checked all the same.
  const all = ["-q", "-o", "APT::Sandbox::User=root", ...parameters];
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  return (await run("apt-get", all, { cwd, env, maxBuffer: outputBytesMax })).stdout;
}

/** Which distribution it is: `debian`, or one that is made of it. */
export function distribution(): { readonly id: string; readonly codename: string } {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(release)?.[1];
  return { id: field("ID") ?? "debian", codename: field("VERSION_CODENAME") ?? "" };
}

/** Folders at the root that are names for those of `usr`, as in every Debian since 12. */
const merged = /^(bin|lib|lib64)\//;
const wanted =
  /^(usr\/)?lib(64)?\/.*\.so(\.|$)|^(usr\/)?bin\/busybox$|^usr\/share\/doc\/[^/]+(\/copyright)?$/;
/** Converters between old character sets, and helpers of debuggers: a tenth of their size is what runs. */
const unwanted = /\/(gconv|audit)\/|^usr\/share\/gdb\//;

/**
 * Shared libraries, busybox and the licences of packages, in the places of a
 * Debian whose `/lib` is `/usr/lib`.
 */
export function debianFiles(packages: readonly DebianPackage[]): Entry[] {
  const names = new Set<string>();
  const entries = packages.flatMap((each) =>
    filesBelow(each.folder)
      .filter(({ path }) => wanted.test(path) && !unwanted.test(path))
      .map(({ path, isLink }): Entry => {
        const top = merged.exec(path)?.[1];
        if (top !== undefined) names.add(top);
        const place = top === undefined ? path : `usr/${path}`;
        const file = join(each.folder, path);
        return isLink ? link(place, readlinkSync(file)) : copy(place, file);
      }),
  );
  return [...entries, ...[...names].map((name) => link(name, posix.join("usr", name)))];
}

function aptMissing(tool: string, names: readonly string[]): Problem {
  return new Problem({
    code: "apt-missing",
    field: "tool",
    value: tool,
    message: `the image needs Debian's ${names.join(", ")}, and there is no ${tool} that would bring them`,
    remedy:
      "build images on Debian, or on a distribution made of it; every image is the same wherever it runs",
  });
}

function unreachable(names: readonly string[], failure: unknown): Problem {
  const said = failure instanceof Error ? failure.message : String(failure);
  return new Problem({
    code: "debian-unreachable",
    field: "packages",
    value: names.join(" "),
    message: `Debian's packages cannot be fetched: ${said.trim().split("\n").slice(-3).join("; ")}`,
    remedy: "see `apt-get update`: it must reach a mirror of Debian",
  });
}
