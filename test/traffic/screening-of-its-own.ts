import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority } from "#infra/local/authority.ts";
import { channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import { serveGrpc } from "#platform/grpc-server.ts";
import {
  ScreeningClient,
  ScreeningService,
  type ScreenRequest,
  type ScreenResponse,
} from "#proto/qalqan/screening/v1/screening.ts";

/** Undefined: no answer. */
export type Rule = (
  request: ScreenRequest,
) => { verdict: string; reason: string; afterMs?: number } | undefined;

/**
 * The stream of screening over mutual TLS, with a rule of the test's own: what
 * is proven here is how switches ask, not what is decided.
 */
export class OwnScreening implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "qalqan-switch-"));
  readonly #rule: Rule;
  /** Common names of the clients that opened streams. */
  readonly peers: (string | undefined)[] = [];
  /** Every question that arrived. */
  readonly asked: ScreenRequest[] = [];
  #server: Server | undefined;
  #address = "127.0.0.1:0";

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  /** Listens; after `die` on the same port again. */
  async start(): Promise<void> {
    const tls = await this.#identity("screening.north", "workload");
    const unary = () => undefined;
    this.#server = await serveGrpc(this.#address, tls, [
      {
        definition: ScreeningService,
        implementation: {
          screen: unary,
          getState: unary,
          screenStream: (call: ServerDuplexStream<ScreenRequest, ScreenResponse>) => this.#serve(call),
        },
      },
    ]);
  }

  /** Ends at once, as kill -9 does. */
  die(): void {
    this.#server?.forceShutdown();
  }

  /** A client as a switch has it. */
  async client(): Promise<ScreeningClient> {
    const tls = await this.#identity("switch.local", "client");
    return new ScreeningClient(this.#address, channelCredentials(tls), channelOptions);
  }

  async listen(): Promise<void> {
    // A port of its own, kept over restarts.
    const { createServer } = await import("node:net");
    const probe = createServer();
    await new Promise<void>((resolve) => {
      probe.listen(0, "127.0.0.1", resolve);
    });
    const address = probe.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await new Promise((resolve) => {
      probe.close(resolve);
    });
    this.#address = `127.0.0.1:${port}`;
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.die();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #serve(call: ServerDuplexStream<ScreenRequest, ScreenResponse>): void {
    this.peers.push(call.getAuthContext().sslPeerCertificate?.subject?.CN?.toString());
    call.on("data", (request: ScreenRequest) => {
      this.asked.push(request);
      const answer = this.#rule(request);
      if (answer === undefined) return;
      const { verdict, reason, afterMs = 0 } = answer;
      const response: ScreenResponse = {
        requestId: request.requestId,
        ...{
          verdict,
          reason,
          decision: verdict,
          directive: "",
          decisionId: "",
          mode: "enforce",
          enforced: true,
        },
        ...{ withholdCallerId: false, identity: "", matches: [] },
      };
      if (afterMs === 0) call.write(response);
      else setTimeout(() => call.write(response), afterMs);
    });
    call.on("end", () => call.end());
    call.on("error", () => undefined);
  }

  async #identity(name: string, use: "workload" | "client") {
    const authority = new Authority(join(this.#folder, "authority"));
    await authority.prepare();
    const files = await authority.ensure(join(this.#folder, name), name, use);
    const text = (file: string) => readFileSync(file, "utf8");
    return { ca: text(files.ca), cert: text(files.certificate), key: text(files.key) };
  }
}
