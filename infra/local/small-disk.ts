import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findOnPath } from "../toolchain/tools.ts";
import { systemCode } from "./errors.ts";
import { run } from "./postgres.ts";

/** Beyond what the storage holds now: soon full, and enough to start in. */
const spareBytes = 24 * 1024 ** 2;
const ballastName = "ballast";
const ballastPieceBytes = 256 * 1024;

let whyNot: string | undefined;

/** Why no disk can be made small on this machine; empty when it can. */
export function whyNoSmallDisk(): string {
  whyNot ??= tryToMount();
  return whyNot;
}

/** Root may be forbidden to mount, as in most containers: only trying tells. */
function tryToMount(): string {
  if (process.getuid?.() !== 0) return "only root may mount";
  const [mount, unmount] = [findOnPath("mount"), findOnPath("umount")];
  if (mount === undefined || unmount === undefined) return "mount is not on the path";
  const place = mkdtempSync(join(tmpdir(), "qalqan-mount-"));
  try {
    execFileSync(mount, ["-t", "tmpfs", "-o", "size=64k", "qalqan", place], { stdio: "ignore" });
    execFileSync(unmount, [place], { stdio: "ignore" });
    return "";
  } catch {
    return "this machine forbids to mount";
  } finally {
    rmdirSync(place);
  }
}

/** Where a storage's content is while it is moved. */
const asideOf = (storage: string): string => `${storage}.aside`;

/** Whether a storage is on a small disk of its own now, also of an earlier run. */
export function isSmallDisk(storage: string): boolean {
  // proc(5): the fifth field of a line is the place of the mount.
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === storage);
}

/** Moves a storage to a small disk in memory; its process must not run. */
export async function moveToSmallDisk(storage: string): Promise<void> {
  const aside = asideOf(storage);
  await rename(storage, aside);
  await mkdir(storage, { mode: 0o700 });
  const bytes = bytesOf(aside) + spareBytes;
  await run(["mount", "-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "qalqan", storage]);
  await run(["cp", "-a", `${aside}/.`, storage]);
  await rm(aside, { recursive: true });
}

/** Takes every byte that is left on a small disk. */
export function fillSmallDisk(storage: string): void {
  const piece = Buffer.alloc(ballastPieceBytes);
  const file = openSync(join(storage, ballastName), "a", 0o600);
  try {
    for (let length = piece.length; length >= 1;) {
      try {
        writeSync(file, piece, 0, length);
      } catch (error) {
        if (systemCode(error) !== "ENOSPC") throw error;
        length = Math.floor(length / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Moves a storage back to where it belongs; its process must not run. */
export async function moveFromSmallDisk(storage: string): Promise<void> {
  const aside = asideOf(storage);
  rmSync(join(storage, ballastName), { force: true });
  rmSync(aside, { recursive: true, force: true });
  await run(["cp", "-a", storage, aside]);
  await run(["umount", storage]);
  rmdirSync(storage);
  renameSync(aside, storage);
}

/** A move that was interrupted: what was moved aside is whole as long as there is no small disk. */
export function putBackMoved(storage: string): void {
  const aside = asideOf(storage);
  if (!existsSync(aside) || isSmallDisk(storage)) return;
  rmSync(storage, { recursive: true, force: true });
  renameSync(aside, storage);
}

/** What the files of a folder take on a disk with blocks of 4 KiB. */
function bytesOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => Math.ceil(statSync(join(folder, name)).size / 4_096) * 4_096)
    .reduce((sum, bytes) => sum + bytes, 0);
}
