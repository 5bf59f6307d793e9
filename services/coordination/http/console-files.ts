import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import type { FastifyInstance } from "fastify";

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};

/**
 * Serves the console page out of a folder. A path that names no file is a
 * place within the page, and gets its index.
 */
export function serveConsole(server: FastifyInstance, folder: string): void {
  server.get("/*", async (request, reply) => {
    const path = decodePath(request.url);
    const file =
      (path === undefined ? undefined : await fileWithin(folder, path)) ?? join(folder, "index.html");
    // File names with a hash of their content never change.
    const isHashed = file.includes(`${sep}assets${sep}`);
    return reply
      .header("content-type", contentTypes[extname(file)] ?? "application/octet-stream")
      .header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache")
      .send(createReadStream(file));
  });
}

function decodePath(url: string): string | undefined {
  try {
    const path = decodeURIComponent(url.split(/[?#]/u)[0] ?? "/");
    return path.includes("\0") ? undefined : path;
  } catch {
    return undefined;
  }
}

/** The file that a path names; undefined when there is none, or when it lies outside of the folder. */
async function fileWithin(folder: string, path: string): Promise<string | undefined> {
  const root = normalize(folder);
  const file = join(root, normalize(`/${path}`));
  if (!file.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() === true ? file : undefined;
}
