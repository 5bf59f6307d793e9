import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { draftOf, place, syncFolder, writeDurably } from "./durable-file.ts";
import { Problem } from "../problem.ts";
import { keysProblem } from "./key-problem.ts";

const encryptedMode = 0o600;
const publicMode = 0o644;

/** The two files of each site's keys: `<site>.age`, encrypted, and `<site>.public.json`. */
export class KeyFiles {
  readonly #folder: string;

  /** @param folder `keys` of a deployment */
  constructor(folder: string) {
    this.#folder = folder;
  }

  encryptedFile(site: string): string {
    return join(this.#folder, `${site}.age`);
  }
  publicFile(site: string): string {
    return join(this.#folder, `${site}.public.json`);
  }

  readEncrypted(site: string): string | undefined {
    return readOrUndefined(this.encryptedFile(site));
  }
  readPublic(site: string): string | undefined {
    return readOrUndefined(this.publicFile(site));
  }

  /**
   * Writes both files: the encrypted one first, since the public one follows
   * from it and can be made again. What fails leaves what was there before.
   *
   * @param before the encrypted file that this takes the place of; undefined: there is none
   * @throws Problem `keys-changed` when it is another one meanwhile, `keys-unwritable`
   */
  write(site: string, before: string | undefined, encrypted: string, published: string): void {
    try {
      this.#write(site, before, encrypted, published);
    } catch (error) {
      if (error instanceof Problem || !(error instanceof Error)) throw error;
      throw keysProblem(
        "keys-unwritable",
        this.#folder,
        `the keys of ${site} cannot be written: ${error.message}`,
        "nothing was changed; see that this is a folder that you may write, on a disk that is not full",
      );
    }
  }

  #write(site: string, before: string | undefined, encrypted: string, published: string): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const file = this.encryptedFile(site);
    // Both are on the disk before either is in its place.
    using encryptedDraft = draftOf(file, encrypted, encryptedMode);
    using publicDraft = draftOf(this.publicFile(site), published, publicMode);
    if (before === undefined) {
      this.#linkNew(site, encryptedDraft.path);
    } else {
      if (this.readEncrypted(site) !== before) throw this.#changed(site);
      place(encryptedDraft, file);
    }
    try {
      place(publicDraft, this.publicFile(site));
    } catch (error) {
      if (before === undefined) rmSync(file, { force: true });
      else writeDurably(file, before, encryptedMode);
      throw error;
    }
  }

  /** Writes the public file alone: again, from the encrypted one beside it. */
  writePublic(site: string, published: string): void {
    writeDurably(this.publicFile(site), published, publicMode);
  }

  /**
   * Moves both files aside; nobody reads them there.
   *
   * @returns how to move them back
   */
  retire(site: string): { readonly files: readonly string[]; readonly undo: () => void } {
    const folder = join(this.#folder, "retired");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // A slug may be retired, added and retired again.
    const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const moved: { readonly from: string; readonly to: string }[] = [];
    const undo = () => {
      for (const { from, to } of moved.splice(0)) renameSync(to, from);
    };
    try {
      for (const [from, ending] of [
        [this.encryptedFile(site), "age"],
        [this.publicFile(site), "public.json"],
      ] as const) {
        const to = join(folder, `${site}-${stamp}.${ending}`);
        if (!existsSync(from)) continue;
        renameSync(from, to);
        moved.push({ from, to });
      }
    } catch (error) {
      undo();
      throw error;
    }
    return { files: moved.map(({ to }) => to), undo };
  }

  /** Linking either takes the name, or fails because somebody else has. */
  #linkNew(site: string, draft: string): void {
    try {
      linkSync(draft, this.encryptedFile(site));
      syncFolder(this.#folder);
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EEXIST";
      throw isTaken ? this.#changed(site) : error;
    }
  }

  #changed(site: string): Error {
    return keysProblem(
      "keys-changed",
      this.encryptedFile(site),
      `the keys of ${site} were changed by somebody else at the same time`,
      "nothing was written; look at them with `npx qalqan keys show`, and run the command again",
    );
  }
}

function readOrUndefined(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
