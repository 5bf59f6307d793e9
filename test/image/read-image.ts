import { execFileSync } from "node:child_process";
import { createGunzip } from "node:zlib";
import { createReadStream, createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Header } from "tar-stream";
import { readArchive } from "#infra/image/archive.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface ReadImage {
  /** Names, modes and times of the archive itself. */
  readonly archive: readonly Header[];
  readonly index: { readonly manifests: readonly (Descriptor & { annotations: Record<string, string> })[] };
  readonly manifest: { readonly config: Descriptor; readonly layers: readonly Descriptor[] };
  readonly config: {
    readonly created: string;
    readonly os: string;
    readonly config: {
      readonly User: string;
      readonly Env: readonly string[];
      readonly Entrypoint?: readonly string[];
      readonly Cmd?: readonly string[];
      readonly WorkingDir?: string;
      readonly StopSignal?: string;
      readonly Labels: Readonly<Record<string, string>>;
    };
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  /** What is in each layer, in its order. */
  readonly layers: readonly (readonly Header[])[];
  /** The image's files as a container would see them. */
  readonly root: string;
}

/** Reads an image back, and unpacks it into a folder as a container runtime does. */
export async function readImage(file: string, folder: string): Promise<ReadImage> {
  const blobs = join(folder, "layout");
  const root = join(folder, "root");
  for (const each of [blobs, root]) mkdirSync(each, { recursive: true });
  const archive = await headersOf(file);
  execFileSync("tar", ["-xf", file, "-C", blobs]);
  const blobFile = ({ digest }: { readonly digest: string }) => join(blobs, "blobs", ...digest.split(":"));
  const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const index = json(join(blobs, "index.json"));
  const manifest = json(blobFile(index.manifests[0]));
  const layers: Header[][] = [];
  for (const layer of manifest.layers) {
    const unpacked = `${blobFile(layer)}.tar`;
    await pipeline(createReadStream(blobFile(layer)), createGunzip(), createWriteStream(unpacked));
    layers.push(await headersOf(unpacked));
    execFileSync("tar", ["-xf", unpacked, "-C", root]);
  }
  return { archive, index, manifest, config: json(blobFile(manifest.config)), layers, root };
}

async function headersOf(file: string): Promise<Header[]> {
  const headers: Header[] = [];
  for await (const { header, content } of readArchive(file)) {
    headers.push(header);
    content.resume();
  }
  return headers;
}
