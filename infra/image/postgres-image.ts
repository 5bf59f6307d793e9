import { readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { versionOf } from "../toolchain/locate.mjs";
import { findTool } from "../toolchain/tools.ts";
import { sha256OfFile } from "./archive.ts";
import { baseEntries, path, postgresUser } from "./base.ts";
import { debianComponent, plainComponent, programComponent, type Component } from "./component.ts";
import type { ImageContent } from "./content.ts";
import { debianFiles, fetchDebianPackages } from "./debian.ts";
import { copy, directory, filesBelow, layer, link, type Entry, type Found } from "./entries.ts";

/** What the server and its own libraries are linked with, and a shell that needs none. */
const debianPackages = ["libc6", "libgcc-s1", "libstdc++6", "busybox-static"] as const;

/** Programs of busybox that first start and archiving call. */
const applets = ["[", "cat", "cmp", "cp", "mkdir", "mv", "rm", "sh", "sync", "test"] as const;

/** Languages whose own libraries are not here, and what is there for building extensions alone. */
const unusable = /plperl|plpython|pltcl|\.a$|\/pgxs\/|\/pkgconfig\//;

/** Libraries that come with the server, for example `lib/libcrypto.so.1.1`. */
const library = /^lib\/(lib[^/]+)\.so\.([^/]+)$/;

/**
 * The image of the PostgreSQL that the local run uses: the server, initdb, and
 * a small shell for first start and archiving.
 *
 * @throws ToolMissing, and those of `fetchDebianPackages`
 */
export async function postgresContent(): Promise<ImageContent> {
  const server = findTool("postgres");
  const native = join(server, "..", "..");
  const version = versionOf(server, ["--version"]) ?? "unknown";
  const home = `usr/lib/postgresql/${version.split(".")[0]}`;
  const files = filesBelow(native).filter((found) => !unusable.test(found.path));
  const debian = await fetchDebianPackages(debianPackages);
  return {
    title: "PostgreSQL",
    version,
    license: "PostgreSQL",
    layers: [
      layer("Debian's libraries and busybox", [
        ...baseEntries(),
        ...debianFiles(debian),
        ...applets.map((name) => link(`usr/bin/${name}`, "busybox")),
        directory("var/lib/postgresql"),
      ]),
      layer(
        "PostgreSQL",
        files.map((found) => placed(native, home, found)),
      ),
    ],
    config: {
      user: `${postgresUser}:${postgresUser}`,
      environment: { PATH: `/${home}/bin:${path}`, LC_ALL: "C" },
      command: ["postgres"],
      // A fast shutdown: after SIGTERM it would wait until every client has left (PostgreSQL, Shutting Down the Server).
      stopSignal: "SIGINT",
    },
    components: [
      programComponent({
        name: "postgresql",
        version,
        purl: `pkg:generic/postgresql@${version}`,
        cpe: `cpe:2.3:a:postgresql:postgresql:${version}:*:*:*:*:*:*:*`,
        sha256: await sha256OfFile(server),
        license: "PostgreSQL",
      }),
      originOf(native),
      ...(await librariesOf(native, files)),
      ...debian.map(debianComponent),
    ],
    packages: new Map(),
  };
}

/** Further names of a library are links: a copy for each name would be the same library thrice. */
function placed(native: string, home: string, { path: within, isLink }: Found): Entry {
  const file = join(native, within);
  const place = `${home}/${within}`;
  return isLink ? link(place, readlinkSync(file)) : copy(place, file);
}

/** The package of npm that the binaries come in. */
function originOf(native: string): Component {
  const manifest = JSON.parse(readFileSync(join(native, "..", "package.json"), "utf8")) as {
    name: string;
    version: string;
  };
  return plainComponent(
    manifest.name,
    manifest.version,
    `pkg:npm/${manifest.name.replace("@", "%40")}@${manifest.version}`,
  );
}

function librariesOf(native: string, files: readonly Found[]): Promise<Component[]> {
  return Promise.all(
    files
      .filter((found) => !found.isLink && library.test(found.path))
      .map(async (found) => {
        const [, name = basename(found.path), version = ""] = library.exec(found.path) ?? [];
        const hash = await sha256OfFile(join(native, found.path));
        return plainComponent(name, version, `pkg:generic/${name}@${version}`, hash);
      }),
  );
}
