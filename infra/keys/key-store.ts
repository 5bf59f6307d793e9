import { join } from "node:path";
import type { KeyAccess } from "./key-access.ts";
import { ofOtherSite, openDocument, sealDocument, type KeyDocument } from "./key-document.ts";
import { KeyFiles } from "./key-files.ts";
import { keysProblem } from "./key-problem.ts";
import { fingerprintOf, publicKeysSchema, sha256, type PublicKeys } from "./public-keys.ts";
import {
  completeSiteKeys,
  endingDays,
  finishRotation,
  makeSiteKeys,
  outdatedSecrets,
  publicPartsOf,
  renewalDays,
  rotateSiteKeys,
  type KeyOrder,
  type SiteKeys,
} from "./site-keys.ts";

/** What `make` has done: all keys, those that were missing, the files anew for other recipients, or nothing. */
export type Made = "made" | "completed" | "encrypted-again" | "kept";

/** The encrypted file of a site, opened. */
interface Opened {
  readonly document: KeyDocument;
  /** The file as it is on the disk. */
  readonly encrypted: string;
}

/** The keys of all sites of a deployment, in the folder `keys`. */
export class KeyStore {
  readonly #files: KeyFiles;
  readonly #access: KeyAccess;

  /** @param folder of the deployment */
  constructor(folder: string, access: KeyAccess) {
    this.#files = new KeyFiles(join(folder, "keys"));
    this.#access = access;
  }

  /** Whether there is anything of a site's keys. */
  has(site: string): boolean {
    return this.#files.readEncrypted(site) !== undefined || this.#files.readPublic(site) !== undefined;
  }

  /**
   * Public parts of a site's keys; no identity is needed for them.
   *
   * @throws Problem `keys-missing`, `keys-damaged`, `keys-of-other-site`, `keys-half-written`
   */
  publicKeys(site: string): PublicKeys {
    const encrypted = this.#files.readEncrypted(site);
    const published = this.#published(site);
    if (published === undefined)
      throw encrypted === undefined ? this.#missing(site) : this.#halfWritten(site);
    // Whoever has public parts alone, as the capital's people may, has nothing to compare them with.
    if (encrypted !== undefined && sha256(encrypted) !== published.encryptedSha256)
      throw this.#halfWritten(site);
    return published;
  }

  /**
   * The keys of a site, complete and fit to be rolled out.
   *
   * @throws Problem `keys-missing`, `keys-undecryptable`, `keys-damaged`, `keys-of-other-site`,
   * `keys-half-written`, `keys-mismatch`, `keys-outdated`, `identity-missing`, `identity-invalid`
   */
  async read(order: KeyOrder): Promise<SiteKeys> {
    const { site } = order.stack;
    const opened = await this.#open(site);
    if (!(await this.#isWhole(site, opened))) throw this.#halfWritten(site);
    const { keys } = opened.document;
    const outdated = outdatedSecrets(keys, order, endingDays);
    if (outdated.length === 0) return keys;
    throw keysProblem(
      "keys-outdated",
      this.#files.encryptedFile(site),
      `of the keys of ${site} these are missing, lack a host name, or are about to end: ${outdated.join(", ")}`,
      `bring them up to date with \`npx qalqan keys make ${site}\``,
    );
  }

  /**
   * Makes the keys of a site; of keys that are there, what is missing. Sees
   * that exactly those of `recipients.txt` can open them, and mends what an
   * interrupted command has left.
   *
   * @throws Problem as `read`; `recipients-missing`, `recipients-invalid`, `keys-changed`
   */
  async make(order: KeyOrder): Promise<Made> {
    const { site } = order.stack;
    const recipients = await this.#access.recipients();
    if (!this.has(site)) {
      await this.#write({ recipients, replaces: null, keys: await makeSiteKeys(order) }, undefined);
      return "made";
    }
    const opened = await this.#openWhole(site);
    const { document } = opened;
    const isOutdated = outdatedSecrets(document.keys, order, renewalDays).length > 0;
    if (!isOutdated && document.recipients.toSorted().join() === recipients.toSorted().join()) return "kept";
    await this.#replace(opened, await completeSiteKeys(document.keys, order));
    return isOutdated ? "completed" : "encrypted-again";
  }

  /**
   * Sees that keys of a site could be made, and that there are none.
   *
   * @throws Problem `keys-exist`, `recipients-missing`, `recipients-invalid`
   */
  async requireNone(site: string): Promise<void> {
    await this.#access.recipients();
    if (!this.has(site)) return;
    throw keysProblem(
      "keys-exist",
      this.#files.encryptedFile(site),
      `there are keys of ${site} already`,
      "move its files away, if nothing that runs uses them",
    );
  }

  /**
   * Sees that `make` will be able to do its work; nothing is written.
   *
   * @throws Problem as `make`
   */
  async requireSound(site: string): Promise<void> {
    await this.#access.recipients();
    if (this.has(site)) await this.#isWhole(site, await this.#open(site));
  }

  /** @throws Problem as `make`; `rotation-unfinished` */
  async rotate(order: KeyOrder): Promise<void> {
    const opened = await this.#openWhole(order.stack.site);
    await this.#replace(opened, await rotateSiteKeys(opened.document.keys, order));
  }

  /** @throws Problem as `make`; `no-rotation` */
  async finishRotation(site: string): Promise<void> {
    const opened = await this.#openWhole(site);
    await this.#replace(opened, finishRotation(opened.document.keys));
  }

  /**
   * Makes everything anew at once, for keys that somebody else may have: those
   * before are trusted no longer.
   *
   * @throws Problem as `make`
   */
  async renew(order: KeyOrder): Promise<void> {
    const opened = await this.#openWhole(order.stack.site);
    const { keys } = opened.document;
    const settled = keys.previous === null ? keys : finishRotation(keys);
    await this.#replace(opened, finishRotation(await rotateSiteKeys(settled, order)));
  }

  /**
   * Moves the keys of a site aside.
   *
   * @returns where they are now, and how to move them back
   */
  retire(site: string): { readonly files: readonly string[]; readonly undo: () => void } {
    return this.#files.retire(site);
  }

  async #open(site: string): Promise<Opened> {
    const encrypted = this.#files.readEncrypted(site);
    if (encrypted === undefined) throw this.#missing(site);
    const identities = await this.#access.identities();
    const file = this.#files.encryptedFile(site);
    return { document: await openDocument(site, file, encrypted, identities), encrypted };
  }

  /** Opens the keys, and writes the public file again where an interrupted command has not come to it. */
  async #openWhole(site: string): Promise<Opened> {
    const opened = await this.#open(site);
    if (!(await this.#isWhole(site, opened))) {
      this.#files.writePublic(site, await publicText(opened.document.keys, opened.encrypted));
    }
    return opened;
  }

  /**
   * Whether the public file is the one of the encrypted file. If not, it is
   * missing or the one before: a command was interrupted between the two.
   *
   * @throws Problem `keys-mismatch` for any other, `keys-damaged`, `keys-of-other-site`
   */
  async #isWhole(site: string, { document, encrypted }: Opened): Promise<boolean> {
    const published = this.#published(site);
    if (published === undefined) return false;
    const own = fingerprintOf(await publicPartsOf(document.keys));
    if (published.fingerprint === own) return published.encryptedSha256 === sha256(encrypted);
    if (published.fingerprint === document.replaces) return false;
    throw keysProblem(
      "keys-mismatch",
      this.#files.publicFile(site),
      `the public parts of the keys of ${site} are not those of the encrypted file`,
      "restore the two files of one time; or delete the public one, make it again with " +
        `\`npx qalqan keys make ${site}\`, and roll out both ends of the line`,
    );
  }

  /** @throws Problem `keys-damaged`, `keys-of-other-site` */
  #published(site: string): PublicKeys | undefined {
    const content = this.#files.readPublic(site);
    if (content === undefined) return undefined;
    const file = this.#files.publicFile(site);
    const published = parsePublic(content);
    if (published === undefined || fingerprintOf(published) !== published.fingerprint) {
      throw keysProblem(
        "keys-damaged",
        file,
        `${file} is not as it was written`,
        `delete it, and make it again with \`npx qalqan keys make ${site}\``,
      );
    }
    if (published.site !== site) throw ofOtherSite(file, site, published.site);
    return published;
  }

  async #replace({ document, encrypted }: Opened, keys: SiteKeys): Promise<void> {
    const recipients = await this.#access.recipients();
    const replaces = fingerprintOf(await publicPartsOf(document.keys));
    await this.#write({ recipients, replaces, keys }, encrypted);
  }

  async #write(document: KeyDocument, before: string | undefined): Promise<void> {
    const encrypted = await sealDocument(document);
    const { site } = document.keys;
    this.#files.write(site, before, encrypted, await publicText(document.keys, encrypted));
  }

  #missing(site: string): Error {
    if (this.#files.readPublic(site) !== undefined) {
      return keysProblem(
        "keys-missing",
        this.#files.encryptedFile(site),
        `of the keys of ${site} only the public parts are here`,
        `bring its encrypted file; where it is lost, move ${this.#files.publicFile(site)} away and make new keys`,
      );
    }
    return keysProblem(
      "keys-missing",
      this.#files.encryptedFile(site),
      `there are no keys of ${site}`,
      `make them with \`npx qalqan keys make ${site}\``,
    );
  }

  #halfWritten(site: string): Error {
    return keysProblem(
      "keys-half-written",
      this.#files.publicFile(site),
      `the public parts of the keys of ${site} are not of the same time as the encrypted file`,
      `a command was interrupted between the two: \`npx qalqan keys make ${site}\` writes them again`,
    );
  }
}

async function publicText(keys: SiteKeys, encrypted: string): Promise<string> {
  const parts = await publicPartsOf(keys);
  const published: PublicKeys = {
    ...parts,
    fingerprint: fingerprintOf(parts),
    encryptedSha256: sha256(encrypted),
  };
  return `${JSON.stringify(published, undefined, 2)}\n`;
}

function parsePublic(content: string): PublicKeys | undefined {
  try {
    return publicKeysSchema.parse(JSON.parse(content));
  } catch {
    return undefined;
  }
}
