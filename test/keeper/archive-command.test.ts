import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findTool } from "#infra/toolchain/tools.ts";
import { archiveCommand } from "#infra/blueprint/wal-archive.ts";

const segment = "000000010000000000000005";

const shells = [
  { name: "the shell of this machine", command: ["sh"], isHere: true },
  { name: "busybox", command: [busyboxPath(), "sh"], isHere: busyboxPath() !== "" },
];

/** Empty: it is not on this machine. */
function busyboxPath(): string {
  try {
    return findTool("busybox");
  } catch {
    return "";
  }
}

for (const { name, command, isHere } of shells) {
  describe.skipIf(!isHere)(`the archive command in ${name}${isHere ? "" : " (skipped: not here)"}`, () => {
    let folder: string;
    let archived: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "qalqan-archive-"));
      archived = join(folder, "wal", segment);
      mkdirSync(join(folder, "wal"));
      writeFileSync(join(folder, segment), "what was written");
    });
    afterEach(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    /** As PostgreSQL does: the data folder is the working folder, and the path of the segment relative to it. */
    function run(): number | null {
      const text = archiveCommand(folder).replaceAll("%p", segment).replaceAll("%f", segment);
      const [file = "", ...parameters] = command;
      return spawnSync(file, [...parameters, "-c", text], { cwd: folder }).status;
    }

    test("copies a segment, and takes it as archived when it is offered again", () => {
      expect(run()).toBe(0);
      expect(readFileSync(archived, "utf8")).toBe("what was written");
      expect(run()).toBe(0);
      expect(readdirSync(join(folder, "wal"))).toEqual([segment]);
    });

    test("goes over what a crash left of a copy", () => {
      writeFileSync(`${archived}.new`, "what was written, and more of an earlier time");
      expect(run()).toBe(0);
      expect(readFileSync(archived, "utf8")).toBe("what was written");
    });

    test("never writes over another segment of the same name", () => {
      writeFileSync(archived, "of another database");
      expect(run()).not.toBe(0);
      expect(readFileSync(archived, "utf8")).toBe("of another database");
    });

    test("fails where there is no archive", () => {
      rmSync(join(folder, "wal"), { recursive: true });
      expect(run()).not.toBe(0);
    });
  });
}
