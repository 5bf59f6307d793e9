import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readRelease, type ImageName, type Release } from "#infra/deployment/release.ts";
import { filesBelow } from "#infra/image/entries.ts";
import { archiveName, billName, makeImages } from "#infra/image/make-images.ts";
import { cacheFolder } from "#infra/toolchain/locate.mjs";
import { findTool } from "#infra/toolchain/tools.ts";
import { checkout } from "#test/house/sources.ts";

export interface BuiltImages {
  readonly release: Release;
  /** Archives to import. */
  readonly files: Readonly<Record<ImageName, string>>;
  /** Bills of materials. */
  readonly bills: Readonly<Record<ImageName, string>>;
  /** Holds all of them, and `release.json`. */
  readonly folder: string;
}

export const builtVersion = "0.0.0-test";
export const builtRepository = "localhost/qalqan";

const names: readonly ImageName[] = ["qalqan", "nats", "postgres"];

let built: Promise<BuiltImages> | undefined;

/** All three images of this checkout: built once for what they are made of, and kept in the cache. */
export function builtImages(): Promise<BuiltImages> {
  built ??= build();
  return built;
}

async function build(): Promise<BuiltImages> {
  const cache = join(cacheFolder(), "images");
  const folder = join(cache, inputsKey());
  mkdirSync(cache, { recursive: true });
  forgetUnused(cache);
  await alone(`${folder}.lock`, async () => {
    if (existsSync(folder)) return;
    const building = mkdtempSync(join(cache, "build-"));
    try {
      await makeImages({
        checkout,
        repository: builtRepository,
        version: builtVersion,
        servers: undefined,
        out: building,
        releaseFile: join(building, "release.json"),
      });
      renameSync(building, folder);
    } finally {
      rmSync(building, { recursive: true, force: true });
    }
  });
  utimesSync(folder, new Date(), new Date());
  const each = (nameOf: (name: ImageName) => string) =>
    Object.fromEntries(names.map((name) => [name, join(folder, nameOf(name))])) as Record<ImageName, string>;
  return {
    release: readRelease(join(folder, "release.json")),
    files: each(archiveName),
    bills: each(billName),
    folder,
  };
}

/** Of tests that run at once, one builds, and the others wait for it; one that was killed is not waited for. */
async function alone(lock: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch {
      if (!isHeld(lock)) rmSync(lock, { force: true });
      await sleep(lockedMs);
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

const lockedMs = 100;

function isHeld(lock: string): boolean {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return true;
  } catch {
    return false;
  }
}

/** What the images are made of, as far as it changes while one works on them. */
function inputsKey(): string {
  const hash = createHash("sha256");
  for (const file of ["package.json", "package-lock.json", "LICENSE"]) {
    hash.update(`\0${file}\0`).update(readFileSync(join(checkout, file)));
  }
  const notInImages = new Set(["services/cli", "services/console/page"]);
  for (const folder of ["services", "proto", "infra/image"]) {
    for (const { path } of filesBelow(
      join(checkout, folder),
      (within) => !notInImages.has(`${folder}/${within}`),
    )) {
      hash.update(`\0${folder}/${path}\0`).update(readFileSync(join(checkout, folder, path)));
    }
  }
  for (const tool of ["nats-server", "postgres"] as const) {
    const { size, mtimeMs } = statSync(findTool(tool));
    hash.update(`\0${tool} ${size} ${mtimeMs}`);
  }
  return hash.digest("hex").slice(0, 16);
}

const unusedMsMax = 24 * 60 * 60 * 1_000;

/** Images that no test has asked for since yesterday. */
function forgetUnused(cache: string): void {
  for (const name of readdirSync(cache)) {
    const folder = join(cache, name);
    // Whoever builds beside us makes folders and renames them.
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found !== undefined && Date.now() - found.mtimeMs > unusedMsMax)
      rmSync(folder, { recursive: true, force: true });
  }
}
