import { Ends, Wake, type Scheduler, type Work } from "./scheduler.ts";

/** A supervisor waits so long before it starts what has ended (ms). */
const restartMsMin = 50;
const restartMsMax = 1_500;

/**
 * A process of the operating system: it is killed (everything in memory is
 * gone), stopped and continued (SIGSTOP), and has a clock that may be wrong.
 */
export class Machine {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #start: (machine: Machine) => void;
  /** Chance that it is killed after any one effect. */
  killChance = 0;
  isUp = false;
  /** Counts its starts: what belongs to an earlier one never goes on. */
  incarnation = 0;
  kills = 0;
  clockErrorMs = 0;
  /** Whoever is connected to it hears that it has ended. */
  readonly ended = new Wake();
  #stoppedUntilMs = 0;

  /** @param start makes its parts anew, from what is on disks alone */
  constructor(scheduler: Scheduler, name: string, start: (machine: Machine) => void) {
    this.#scheduler = scheduler;
    this.name = name;
    this.#start = start;
  }

  /** Its own idea of the time. */
  get clockMs(): number {
    return Math.floor(this.#scheduler.nowMs + this.clockErrorMs);
  }

  start(): void {
    if (this.isUp) return;
    this.isUp = true;
    this.incarnation += 1;
    this.#stoppedUntilMs = 0;
    this.#start(this);
  }

  /**
   * kill -9; the supervisor starts it again after a while.
   *
   * @param downMs how long it stays away; undefined: as long as a supervisor takes
   */
  kill(why: string, downMs?: number): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.incarnation += 1;
    this.kills += 1;
    this.#scheduler.note(this.name, `ends: ${why}`);
    this.ended.notify();
    const { incarnation } = this;
    this.#scheduler.at(downMs ?? this.#scheduler.between(restartMsMin, restartMsMax), () => {
      if (this.incarnation === incarnation) this.start();
    });
  }

  /** SIGSTOP, and SIGCONT after a while. */
  stopFor(forMs: number): void {
    this.#stoppedUntilMs = Math.max(this.#stoppedUntilMs, this.#scheduler.nowMs + forMs);
  }

  continueNow(): void {
    this.#stoppedUntilMs = 0;
  }

  /** Runs a part until it ends or the machine does. A part that throws Ends ends the machine. */
  run(work: Work): void {
    const incarnation = this.incarnation;
    const advance = (value: unknown): void => {
      if (this.incarnation !== incarnation) return;
      if (this.#stoppedUntilMs > this.#scheduler.nowMs) {
        this.#scheduler.at(this.#stoppedUntilMs - this.#scheduler.nowMs, () => advance(value));
        return;
      }
      if (this.killChance > 0 && this.#scheduler.chance(this.killChance)) {
        this.kill("killed between two effects");
        return;
      }
      this.#scheduler.steps += 1;
      try {
        const next = work.next(value);
        if (next.done !== true) next.value(advance);
      } catch (error) {
        if (!(error instanceof Ends)) throw error;
        this.kill(error.message);
      }
    };
    this.#scheduler.at(0, () => advance(undefined));
  }
}
