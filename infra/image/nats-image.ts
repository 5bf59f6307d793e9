import { closeSync, openSync, readSync } from "node:fs";
import { Problem } from "../problem.ts";
import { versionOf } from "../toolchain/locate.mjs";
import { findTool } from "../toolchain/tools.ts";
import { sha256OfFile } from "./archive.ts";
import { baseEntries, path, serviceUser } from "./base.ts";
import { programComponent } from "./component.ts";
import type { ImageContent } from "./content.ts";
import { copy, layer } from "./entries.ts";

/**
 * The image of the toolchain's nats-server, which starts as upstream's does.
 *
 * @throws ToolMissing, Problem `binary-not-static`
 */
export async function natsContent(): Promise<ImageContent> {
  const file = findTool("nats-server");
  if (!isStatic(file)) throw notStatic(file);
  const version = versionOf(file, ["--version"]) ?? "unknown";
  return {
    title: "NATS server",
    version,
    license: "Apache-2.0",
    layers: [layer("nats-server", [...baseEntries(), copy("nats-server", file)])],
    config: {
      user: `${serviceUser}:${serviceUser}`,
      environment: { PATH: path },
      entrypoint: ["/nats-server"],
    },
    components: [
      programComponent({
        name: "nats-server",
        version,
        purl: `pkg:golang/github.com/nats-io/nats-server/v2@v${version}`,
        sha256: await sha256OfFile(file),
        license: "Apache-2.0",
      }),
    ],
    packages: new Map(),
  };
}

/** Magic number, and the class of 64-bit binaries. */
const elf64 = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2]);
const elfHeaderBytes = 64;
const interpreterSegment = 3;

/** Whether a little-endian ELF binary asks for no loader, and so for no library (System V ABI, PT_INTERP). */
function isStatic(file: string): boolean {
  const descriptor = openSync(file, "r");
  try {
    const header = Buffer.alloc(elfHeaderBytes);
    readSync(descriptor, header, 0, header.length, 0);
    if (!header.subarray(0, elf64.length).equals(elf64)) return false;
    const tableAt = Number(header.readBigUInt64LE(32));
    const entryBytes = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    const segments = Buffer.alloc(entryBytes * count);
    readSync(descriptor, segments, 0, segments.length, tableAt);
    return Array.from({ length: count }, (_, index) => segments.readUInt32LE(index * entryBytes)).every(
      (type) => type !== interpreterSegment,
    );
  } finally {
    closeSync(descriptor);
  }
}

function notStatic(file: string): Problem {
  return new Problem({
    code: "binary-not-static",
    field: "nats-server",
    value: file,
    message: `${file} is no static binary: it needs libraries that an image of it alone does not have`,
    remedy:
      "put a static one on the path (upstream's releases are), or take it off the path and run `node infra/toolchain/prepare.mjs`",
  });
}
