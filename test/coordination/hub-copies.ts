import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CapitalUnderTest } from "./capital-under-test.ts";

const folderOf = (capital: CapitalUnderTest, name: string) => join(capital.folder.root, name);

/** The hub's store as it is now, to come back to; the hub is started again. */
export async function keepHub(capital: CapitalUnderTest, name: string): Promise<void> {
  await capital.hub.stop("SIGTERM");
  cpSync(folderOf(capital, "jetstream"), folderOf(capital, name), { recursive: true });
  capital.hub.start();
}

/** Ends the hub, and starts it with the store that was kept. */
export async function restoreHub(capital: CapitalUnderTest, name: string): Promise<void> {
  await capital.hub.stop("SIGKILL");
  rmSync(folderOf(capital, "jetstream"), { recursive: true });
  cpSync(folderOf(capital, name), folderOf(capital, "jetstream"), { recursive: true });
  capital.hub.start();
}
