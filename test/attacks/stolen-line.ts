import { readFileSync } from "node:fs";
import { connect, type TLSSocket } from "node:tls";
import { nkeys } from "nats";

/** What is stolen with a region's NATS pod: its leaf key, and a certificate of its authority. */
export interface StolenCredentials {
  /** Seed of the region's leaf node. */
  readonly seed: Uint8Array;
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface HeardMessage {
  readonly subject: string;
  readonly reply: string;
  readonly text: string;
}

const answerWaitMs = 15_000;

/**
 * A line to the hub that obeys nobody: it speaks the leaf node protocol itself
 * (nats-server, server/leafnode.go), so that no server of the region stands in
 * the way of what it tries. What the hub refuses, the hub itself refuses.
 */
export class StolenLine {
  readonly #socket: TLSSocket;
  readonly #messages: HeardMessage[] = [];
  readonly #errors: string[] = [];
  readonly #waiting: { wants: () => boolean; go: () => void }[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #pongs = 0;
  #info: { readonly nonce?: string } | undefined;
  #closed = false;
  #inbox = 0;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error: Error) => this.#errors.push(error.message));
    socket.on("close", () => {
      this.#closed = true;
      this.#look();
    });
  }

  /**
   * Opens the line, whether or not the hub lets it in: `isOpen` says.
   *
   * @param address `host:port` of the hub's leaf port
   * @param more fields of the protocol's CONNECT
   */
  static async open(
    address: string,
    { seed, caFile, certificateFile, keyFile }: StolenCredentials,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<StolenLine> {
    const [host = "", port = ""] = address.split(":");
    const [ca, cert, key] = [caFile, certificateFile, keyFile].map((file) => readFileSync(file));
    const socket = connect({ host, port: Number(port), ca, cert, key, servername: "localhost" });
    const line = new StolenLine(socket);
    await line.#until(() => line.#info !== undefined);
    const pair = nkeys.fromSeed(seed);
    const nonce = line.#info?.nonce ?? "";
    const sig = Buffer.from(pair.sign(new TextEncoder().encode(nonce))).toString("base64url");
    const greeting = {
      nkey: pair.getPublicKey(),
      sig,
      name: "stolen",
      headers: true,
      version: "2.15.1",
      ...more,
    };
    line.#write(`CONNECT ${JSON.stringify(greeting)}\r\n`);
    await line.flush();
    return line;
  }

  get isOpen(): boolean {
    return !this.#closed;
  }
  /** What the hub has said against it. */
  get errors(): readonly string[] {
    return this.#errors;
  }
  get messages(): readonly HeardMessage[] {
    return this.#messages;
  }

  listen(subject: string): void {
    this.#write(`LS+ ${subject}\r\n`);
  }

  publish(subject: string, data: Uint8Array | string, reply = "", headers = ""): void {
    const body = Buffer.from(data);
    const to = reply === "" ? subject : `${subject} ${reply}`;
    if (headers === "") this.#write(`LMSG ${to} ${body.length}\r\n`);
    else
      this.#write(
        `HMSG ${to} ${Buffer.byteLength(headers)} ${Buffer.byteLength(headers) + body.length}\r\n${headers}`,
      );
    this.#socket.write(body);
    this.#write("\r\n");
  }

  /** Asks a service; undefined: no answer came, or the line was ended. */
  async ask(subject: string, data: Uint8Array | string, headers = ""): Promise<string | undefined> {
    this.#inbox += 1;
    const reply = `_INBOX.stolen.${this.#inbox}`;
    this.listen(reply);
    await this.flush();
    this.publish(subject, data, reply, headers);
    const found = () => this.#messages.find((message) => message.subject === reply);
    await this.#until(() => found() !== undefined);
    return found()?.text;
  }

  /** Waits until the hub has read all that was written, or has ended the line. */
  async flush(): Promise<void> {
    const before = this.#pongs;
    this.#write("PING\r\n");
    await this.#until(() => this.#pongs > before);
  }

  close(): void {
    this.#socket.destroy();
  }

  #write(text: string): void {
    if (!this.#closed) this.#socket.write(text);
  }

  /** Until it holds, the line is gone, or nobody answers. */
  async #until(wants: () => boolean): Promise<void> {
    if (wants() || this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, answerWaitMs);
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push({ wants, go });
    });
  }

  #look(): void {
    for (const { wants, go } of this.#waiting) if (this.#closed || wants()) go();
  }

  #take(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    for (;;) {
      const end = this.#pending.indexOf("\r\n");
      if (end < 0) break;
      const words = this.#pending.subarray(0, end).toString().split(" ");
      const [verb = ""] = words;
      let next = end + 2;
      if (verb === "LMSG" || verb === "HMSG") {
        const size = Number(words.at(-1));
        if (this.#pending.length < next + size + 2) break;
        const headerBytes = verb === "HMSG" ? Number(words.at(-2)) : 0;
        const names = words.slice(1, verb === "HMSG" ? -2 : -1);
        const text = this.#pending.subarray(next + headerBytes, next + size).toString();
        this.#messages.push({ subject: names[0] ?? "", reply: names[1] ?? "", text });
        next += size + 2;
      } else if (verb === "INFO") {
        this.#info = JSON.parse(words.slice(1).join(" ")) as { readonly nonce?: string };
      } else if (verb === "PING") this.#write("PONG\r\n");
      else if (verb === "PONG") this.#pongs += 1;
      else if (verb === "-ERR") this.#errors.push(words.slice(1).join(" "));
      this.#pending = this.#pending.subarray(next);
    }
    this.#look();
  }
}
