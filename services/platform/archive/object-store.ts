import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FolderStore } from "./folder-store.ts";
import { S3Store } from "./s3-store.ts";

/** Objects by name, written once and never changed. */
export interface ObjectStore {
  /** Stores an object; one of that name that is there already stays as it is. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** @throws Error where there is none of that name */
  get(name: string): Promise<Buffer>;
  /** Names that begin so, in the order of their characters. */
  list(prefix: string): Promise<string[]>;
}

/** Who only reads them. */
export type ObjectReader = Pick<ObjectStore, "get" | "list">;

/** An address of objects that cannot be used; the message says why. */
export class ArchiveAddressInvalid extends Error {
  override readonly name = "ArchiveAddressInvalid";
}

const forms =
  "file:///FOLDER, or s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION with a file of credentials";

/**
 * Opens the place that a URL names.
 *
 * @param url `file:///…`, or `s3://bucket/prefix` with `endpoint` (that of AWS when absent) and `region`
 * (`us-east-1` when absent) in its query
 * @param credentialsFile two lines: id and secret of the access key; empty: of a folder
 * @throws ArchiveAddressInvalid
 */
export function openStore(url: string, credentialsFile: string): ObjectStore {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  switch (parsed?.protocol) {
    case "file:":
      return new FolderStore(fileURLToPath(parsed));
    case "s3:": {
      if (credentialsFile === "")
        throw new ArchiveAddressInvalid(`${url} needs a file of credentials: two lines, id and secret`);
      const [accessKeyId = "", secretAccessKey = ""] = readFileSync(credentialsFile, "utf8")
        .split("\n")
        .map((line) => line.trim());
      if (accessKeyId === "" || secretAccessKey === "")
        throw new ArchiveAddressInvalid(`${credentialsFile} does not hold two lines, id and secret`);
      const region = parsed.searchParams.get("region") ?? "us-east-1";
      const endpoint = parsed.searchParams.get("endpoint") ?? `https://s3.${region}.amazonaws.com`;
      const prefix = parsed.pathname.replace(/^\/+|\/+$/g, "");
      return new S3Store({
        endpoint,
        region,
        bucket: parsed.hostname,
        prefix: prefix === "" ? "" : `${prefix}/`,
        accessKeyId,
        secretAccessKey,
      });
    }
    case undefined:
    default:
      throw new ArchiveAddressInvalid(`${url} is no place for an archive; expected ${forms}`);
  }
}
