import { connect, createServer, type Server, type Socket } from "node:net";
import { loopback } from "./ports.ts";

/**
 * A region's line to the capital, through which its server reaches the hub: it
 * can be cut (what is open breaks off, what is new is refused) and healed.
 */
export class Line {
  readonly #port: number;
  readonly #hubPort: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /**
   * @param port where the region's server connects to
   * @param hubPort the hub's port for leaf nodes
   */
  constructor(port: number, hubPort: number) {
    this.#port = port;
    this.#hubPort = hubPort;
  }

  get isCut(): boolean {
    return this.#server === undefined;
  }

  /** Whether the region's server has a connection through the line now. */
  get isConnected(): boolean {
    return this.#sockets.size > 0;
  }

  /** Opens the line; nothing happens when it is open. */
  async heal(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((near) => this.#join(near));
    this.#server = server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject).listen(this.#port, loopback, resolve);
      });
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  /** Breaks off every connection and refuses new ones; nothing happens when it is cut. */
  async cut(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  #join(near: Socket): void {
    const far = connect({ port: this.#hubPort, host: loopback, noDelay: true });
    near.setNoDelay(true);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  }
}
