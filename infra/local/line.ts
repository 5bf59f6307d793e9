import { connect, createServer, type Server, type Socket } from "node:net";
import type { LineStatus } from "./control-server.ts";
import { Passage, type LineCondition, type Slowness } from "./passage.ts";
import { loopback } from "./ports.ts";

const whole: LineCondition = { slow: undefined, halfOpen: false };

/**
 * A region's line to the capital, through which its server reaches the hub. It
 * can be cut (what is open breaks off, what is new is refused), slow, or
 * half-open (connections stay, no byte arrives), and healed.
 */
export class Line {
  readonly #port: number;
  readonly #hubPorts: readonly number[];
  readonly #sockets = new Set<Socket>();
  readonly #passages = new Set<Passage>();
  /** Connections made while the line was half-open: nobody at the far end knows of them. */
  readonly #unheard = new Set<Socket>();
  #condition = whole;
  #server: Server | undefined;
  /** Connections take the nodes in turns: one that accepts and does not answer is left at the next attempt. */
  #turn: number;

  /**
   * @param port where the region's server connects to
   * @param hubPorts the port for leaf nodes of each node of the hub
   */
  constructor(port: number, hubPorts: readonly number[]) {
    this.#port = port;
    this.#hubPorts = hubPorts;
    this.#turn = port;
  }

  get status(): Omit<LineStatus, "region"> {
    const { slow, halfOpen } = this.#condition;
    return {
      cut: this.#server === undefined,
      connected: this.#sockets.size > 0,
      slow: slow ?? null,
      halfOpen,
    };
  }

  /** Opens the line, and lets everything through as it comes. */
  async heal(): Promise<void> {
    for (const socket of this.#unheard) socket.destroy();
    this.#become(whole);
    if (this.#server !== undefined) return;
    const server = createServer({ pauseOnConnect: true }, (near) => this.#join(near));
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
    this.#become(whole);
    await closed;
  }

  /** From now on bytes take their time. */
  async slow(slow: Slowness): Promise<void> {
    await this.heal();
    this.#become({ slow, halfOpen: false });
  }

  /** From now on no byte arrives, nor the news that an end is gone; new connections wait for ever. */
  async halfOpen(): Promise<void> {
    await this.heal();
    this.#become({ slow: undefined, halfOpen: true });
  }

  #become(condition: LineCondition): void {
    this.#condition = condition;
    for (const passage of this.#passages) passage.move();
  }

  #join(near: Socket): void {
    this.#keep(near);
    near.on("error", () => undefined);
    if (this.#condition.halfOpen) {
      this.#unheard.add(near);
      near.once("close", () => this.#unheard.delete(near));
      return;
    }
    this.#turn += 1;
    this.#reach(near, 0);
  }

  /** Connects to the node whose turn it is, or to the next that accepts. */
  #reach(near: Socket, tried: number): void {
    const port = this.#hubPorts[(this.#turn + tried) % this.#hubPorts.length];
    if (port === undefined || tried === this.#hubPorts.length || near.destroyed) {
      near.destroy();
      return;
    }
    const far = connect({ port, host: loopback, noDelay: true });
    const next = () => this.#reach(near, tried + 1);
    far.once("error", next);
    far.once("connect", () => {
      far.off("error", next);
      if (near.destroyed) {
        far.destroy();
        return;
      }
      this.#keep(far);
      this.#carry(near, far);
    });
  }

  #carry(near: Socket, far: Socket): void {
    near.setNoDelay(true);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const passage = new Passage(from, to, () => this.#condition);
      this.#passages.add(passage);
      to.once("close", () => this.#passages.delete(passage));
      passage.move();
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
