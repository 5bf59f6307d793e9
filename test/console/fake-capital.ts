import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const page = join(import.meta.dirname, "..", "..", "services", "console", "dist");
const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** The strictest policy that the page has to live with: nothing from anywhere else. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

/** Serves the built page and says of the nation what a test wants said. */
export class FakeCapital implements AsyncDisposable {
  readonly #listeners = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    if (path === "/v1/events") this.#follow(response);
    else void this.#serve(path === "/" ? "/index.html" : path, response);
  });
  #told: string | undefined;
  #mode: "answering" | "away" | "refusing" = "answering";

  /** Listens on a free port of the loopback interface. */
  static async start(): Promise<FakeCapital> {
    const capital = new FakeCapital();
    capital.#server.listen(0, "127.0.0.1");
    await once(capital.#server, "listening");
    return capital;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Tells all who listen, and who come later at once. */
  tell(nation: unknown): void {
    this.#told = `event: nation\ndata: ${JSON.stringify(nation)}\n\n`;
    for (const listener of this.#listeners) listener.write(this.#told);
  }

  /** The page is served, but nobody says anything about the nation any more. */
  goAway(): void {
    this.#leave("away");
  }

  /** As for a browser that may not see the nation. */
  refuse(): void {
    this.#leave("refusing");
  }

  comeBack(): void {
    this.#mode = "answering";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #leave(mode: "away" | "refusing"): void {
    this.#mode = mode;
    for (const listener of this.#listeners) listener.destroy();
  }

  #follow(response: ServerResponse): void {
    if (this.#mode === "away") {
      response.destroy();
      return;
    }
    if (this.#mode === "refusing") {
      response.writeHead(403).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(this.#told ?? ": nothing yet\n\n");
    this.#listeners.add(response);
    response.once("close", () => this.#listeners.delete(response));
  }

  async #serve(path: string, response: ServerResponse): Promise<void> {
    try {
      const body = await readFile(join(page, normalize(path)));
      const type = types[extname(path)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, "content-security-policy": policy }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }
}
