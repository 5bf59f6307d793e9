import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, symlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { verifyAudit } from "../../services/centre/store/audit.ts";
import { CentreService, operator, prosecutor } from "./centre-service.ts";

/** A file system of its own in an empty folder, with so much room (only root may make one). */
function mount(folder: string, mebibytes: number): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder]).status === 0;
}

const trial = mkdtempSync(join(tmpdir(), "qalqan-mount-"));
const mayMount = mount(trial, 1);
if (mayMount) execFileSync("umount", [trial]);
rmSync(trial, { recursive: true });

describe.skipIf(!mayMount)("a centre whose database has no room on its disk", () => {
  let service: CentreService;
  let disk = "";
  beforeAll(async () => {
    service = await CentreService.start({}, (folder) => {
      disk = mkdtempSync(join(tmpdir(), "qalqan-disk-"));
      mount(disk, 160);
      execFileSync("cp", ["-a", folder, join(disk, "data")]);
      rmSync(folder, { recursive: true });
      symlinkSync(join(disk, "data"), folder);
    });
  });
  afterAll(async () => {
    // It waits for its children, which would keep the disk busy.
    await service.postgres.stop("SIGQUIT");
    await service.stop();
    execFileSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  });

  /** Takes all the room that is left. */
  function fillDisk(): void {
    const file = openSync(join(disk, "filling"), "w");
    const chunk = Buffer.alloc(64 * 1024);
    try {
      while (statfsSync(disk).bavail > 0) writeSync(file, chunk);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    } finally {
      closeSync(file);
    }
  }

  const numbers = Array.from({ length: 20_000 }, (_, index) => `+1212${5_000_000 + index}`);

  test("says so and writes nothing of an import, lives on, and takes it when there is room", async () => {
    const before = await service.issue(operator, { number: "+442071000001" });
    fillDisk();
    await expect(service.import(operator, numbers)).rejects.toMatchObject({ code: "unavailable" });
    rmSync(join(disk, "filling"));
    await until(async () => (await service.view(before.id)).state === "regional");
    expect(await service.database.selectFrom("batches").select("id").execute()).toEqual([]);
    expect(await service.database.selectFrom("directives").select("id").execute()).toHaveLength(1);

    await until(async () => (await service.import(operator, numbers)).at(-1)?.done === true, 60_000);
    await service.issue(prosecutor, { number: "+442071000002" });
    await service.settled();
    expect(await service.lane("events")).toHaveLength(20);
    expect(await service.lane("urgent")).toHaveLength(2);
    expect((await verifyAudit(service.database)).firstBroken).toBeUndefined();
  });
});
