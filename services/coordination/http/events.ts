import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { Capital } from "../capital.ts";
import { pageView } from "./page-view.ts";

const intervalMs = 1_000;
/** Ages in a picture are as of its making: it is told anew also when nothing but time has changed. */
const unchangedMs = 5_000;
const readersMax = 200;

/**
 * Server-sent events for the console: the whole picture, at once, again at most
 * once a second when it has changed, and at least every five seconds. It is made
 * once for all readers, and only while there are any. While it cannot be made,
 * nothing is said: the page takes a silent line for a lost one.
 */
export class NationEvents {
  readonly #capital: Capital;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #readers = new Set<ServerResponse>();
  #isRunning = false;
  #latest = "";

  constructor(capital: Capital, log: Log, signal: AbortSignal) {
    this.#capital = capital;
    this.#log = log;
    this.#signal = signal;
  }

  /** Takes over the connection of a request and writes to it until it ends. */
  send(request: FastifyRequest, reply: FastifyReply): void {
    if (this.#readers.size >= readersMax) {
      void reply
        .status(503)
        .send({ code: "exhausted", message: "too many pages are open", remedy: "close some" });
      return;
    }
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.write("retry: 1000\n\n");
    if (this.#latest !== "") response.write(this.#latest);
    this.#readers.add(response);
    request.raw.on("close", () => this.#readers.delete(response));
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let before = "";
    let sentAtMs = 0;
    while (this.#readers.size > 0 && !this.#signal.aborted) {
      const data = await this.#read();
      if (data === undefined) {
        this.#latest = "";
      } else {
        const substance = withoutTime(data);
        const nowMs = Date.now();
        if (substance !== before || nowMs - sentAtMs >= unchangedMs) {
          before = substance;
          sentAtMs = nowMs;
          this.#latest = `event: nation\ndata: ${JSON.stringify(data)}\n\n`;
          this.#write(this.#latest);
        }
      }
      await pause(intervalMs, this.#signal);
    }
    this.#isRunning = false;
    this.#latest = "";
    if (this.#signal.aborted) for (const reader of this.#readers) reader.end();
  }

  async #read() {
    try {
      return await pageView(this.#capital);
    } catch (error) {
      this.#log.warn({ reason: String(error) }, "the picture of the nation could not be read");
      return undefined;
    }
  }

  #write(text: string): void {
    for (const reader of this.#readers) {
      // Whoever reads too slowly misses a picture, and gets the next one whole.
      if (!reader.writableNeedDrain) reader.write(text);
    }
  }
}

/** What is a change: not that time goes by. */
function withoutTime(data: Awaited<ReturnType<typeof pageView>>): string {
  const regions = data.regions.map((region) => ({ ...region, stalenessMs: 0 }));
  return JSON.stringify({ ...data, atMs: 0, regions });
}
