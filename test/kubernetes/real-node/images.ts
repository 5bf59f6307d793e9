import { baseEntries } from "#infra/image/base.ts";
import { copy, layer } from "#infra/image/entries.ts";
import { buildImage, type BuiltImage, type ImageConfig } from "#infra/image/image.ts";
import { findTool } from "#infra/toolchain/tools.ts";

/** An OCI archive, and the reference by digest under which pods name it. */
export type NodeImage = Pick<BuiltImage, "file" | "reference">;

/** A reserved domain (RFC 2606): a pull that is tried all the same fails at once. */
export const registry = "registry.invalid";

/** Images of a node's own pods: each is one program that needs no library. */
export async function buildSystemImages(folder: string): Promise<Record<"pause" | "coredns", NodeImage>> {
  const [pause, coredns] = await Promise.all([
    buildProgramImage("pause", folder),
    buildProgramImage("coredns", folder),
  ]);
  return { pause, coredns };
}

async function buildProgramImage(name: "pause" | "coredns", out: string): Promise<NodeImage> {
  const layers = [layer(name, [...baseEntries(), copy(name, findTool(name))])];
  return buildTestImage({ name, layers, out, config: { entrypoint: [`/${name}`] } });
}

/** An image for tests alone. */
export async function buildTestImage({
  config,
  ...wish
}: {
  readonly name: string;
  readonly layers: Parameters<typeof buildImage>[0]["layers"];
  readonly out: string;
  readonly config: Partial<ImageConfig>;
}): Promise<NodeImage> {
  return buildImage({
    ...wish,
    version: "0",
    repository: `${registry}/${wish.name}`,
    config: { user: "65532:65532", environment: {}, labels: {}, ...config },
  });
}
