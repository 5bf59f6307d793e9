import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { Capital } from "../capital.ts";
import { nationJson } from "./nation-view.ts";

const intervalMs = 1_000;
/** A comment that keeps the connection through proxies, and shows that it lives. */
const keepAliveMs = 10_000;
const readersMax = 200;

/**
 * Server-sent events for the console: the whole picture, at once and again at
 * most once a second when it has changed. It is made once for all readers, and
 * only while there are any.
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
      const nowMs = Date.now();
      const substance = data === undefined ? before : withoutTime(data);
      if (data !== undefined && substance !== before) {
        before = substance;
        sentAtMs = nowMs;
        this.#latest = `event: nation\ndata: ${JSON.stringify(data)}\n\n`;
        this.#write(this.#latest);
      } else if (nowMs - sentAtMs >= keepAliveMs) {
        sentAtMs = nowMs;
        this.#write(": alive\n\n");
      }
      await pause(intervalMs, this.#signal);
    }
    this.#isRunning = false;
    this.#latest = "";
    if (this.#signal.aborted) for (const reader of this.#readers) reader.end();
  }

  async #read() {
    try {
      return await nationJson(this.#capital);
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
function withoutTime(data: Awaited<ReturnType<typeof nationJson>>): string {
  const regions = data.status.regions.map((region) => ({ ...region, stalenessMs: 0 }));
  return JSON.stringify({ ...data, status: { ...data.status, atMs: 0, regions } });
}
