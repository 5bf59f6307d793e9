import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  checkRelease,
  placeholderRelease,
  writeRelease,
  type ImageName,
  type Release,
} from "../deployment/release.ts";
import { Problem } from "../problem.ts";
import { billOfMaterials } from "./bill-of-materials.ts";
import type { ImageContent } from "./content.ts";
import { buildImage, bytesOf, type BuiltImage } from "./image.ts";
import { natsContent } from "./nats-image.ts";
import { postgresContent } from "./postgres-image.ts";
import { qalqanContent } from "./qalqan-image.ts";

/** Images of the servers by digest, made by somebody else. */
export type Servers = Readonly<Record<Exclude<ImageName, "qalqan">, string>>;

export interface ImagesWish {
  readonly checkout: string;
  /** Registry and name of the project's own image; those of the servers have `-nats` and `-postgres` behind it. */
  readonly repository: string;
  /** What the services say of themselves. */
  readonly version: string;
  /** Undefined: images of the servers are made of what the toolchain has. */
  readonly servers: Servers | undefined;
  /** Folder of archives and bills of materials. */
  readonly out: string;
  readonly releaseFile: string;
  readonly onProgress?: (bytes: number, bytesTotal: number) => void;
}

export interface MadeImage extends BuiltImage {
  /** File of its bill of materials (CycloneDX, JSON). */
  readonly billOfMaterials: string;
}

export interface MadeImages {
  readonly release: Release;
  readonly images: Readonly<Partial<Record<ImageName, MadeImage>>>;
}

/** Name of the archive of an image, and of its bill of materials, in the folder of images. */
export const archiveName = (name: ImageName): string => `${name}.oci.tar`;
export const billName = (name: ImageName): string => `${name}.cdx.json`;

/**
 * Makes the images and their bills of materials, then the release file that
 * names them: as long as anything is missing, the release stays what it was.
 *
 * @throws Problem `image-not-possible`, `repository-invalid`, `release-invalid`, those of the images' contents
 */
export async function makeImages(wish: ImagesWish): Promise<MadeImages> {
  const { checkout, repository, version, servers, out, releaseFile, onProgress } = wish;
  checkPlatform();
  checkRepository(repository);
  checkRelease({ version, images: { ...placeholderRelease.images, ...servers } });
  const contents = await contentsOf(checkout, version, servers === undefined);
  const layers = contents.flatMap(([, content]) => content.layers);
  const bytesTotal = bytesOf(layers);
  let bytes = 0;
  const onBytes = (more: number) => onProgress?.((bytes += more), bytesTotal);

  mkdirSync(out, { recursive: true });
  const images: Partial<Record<ImageName, MadeImage>> = {};
  // Each is either given or made below.
  const references: Record<ImageName, string> = { ...placeholderRelease.images, ...servers };
  for (const [name, content] of contents) {
    const image = await buildImage({
      name,
      version: content.version,
      repository: name === "qalqan" ? repository : `${repository}-${name}`,
      layers: content.layers,
      config: { ...content.config, labels: labelsOf(content) },
      out,
      onBytes,
    });
    const bill = join(out, billName(name));
    writeFileSync(bill, await billOfMaterials(checkout, content, image));
    images[name] = { ...image, billOfMaterials: bill };
    references[name] = image.reference;
  }
  const release: Release = { version, images: references };
  writeRelease(releaseFile, release);
  return { release, images };
}

async function contentsOf(
  checkout: string,
  version: string,
  withServers: boolean,
): Promise<[ImageName, ImageContent][]> {
  const own: [ImageName, ImageContent] = ["qalqan", await qalqanContent(checkout, version)];
  if (!withServers) return [own];
  return [own, ["nats", await natsContent()], ["postgres", await postgresContent()]];
}

function labelsOf({ title, version, license, source }: ImageContent): Record<string, string> {
  const label = (name: string) => `org.opencontainers.image.${name}`;
  return {
    [label("title")]: title,
    [label("version")]: version,
    [label("licenses")]: license,
    ...(source === undefined ? {} : { [label("source")]: source }),
  };
}

function checkPlatform(): void {
  if (process.platform === "linux") return;
  throw new Problem({
    code: "image-not-possible",
    field: "platform",
    value: process.platform,
    message:
      "images hold programs for Linux, and the packages that are installed here are for another system",
    remedy: "make them on Linux, with the processor of the clusters",
  });
}

/** Registry, then components in lower case (OCI distribution specification, pulling manifests). */
const repositoryShape =
  /^(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(:\d{1,5})?(\/[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*)+$/;
const repositoryCharactersMax = 200;

function checkRepository(repository: string): void {
  if (repositoryShape.test(repository) && repository.length <= repositoryCharactersMax) return;
  throw new Problem({
    code: "repository-invalid",
    field: "repository",
    value: repository,
    message: "this is no registry with a name",
    remedy:
      "give REGISTRY/NAME in lower case, for example registry.example/qalqan; a registry has a dot or a port, or is localhost",
  });
}
