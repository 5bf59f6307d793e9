import type { Progress } from "#infra/local/nation.ts";
import { capital } from "#domain/vocabulary.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const frameMs = 100;
const barCharacters = 24;

/**
 * Says on standard error how far the start or the end of a run is: one line
 * that renews itself on a terminal, plain lines elsewhere.
 */
export class StartProgress {
  readonly #isTerminal = process.stderr.isTTY;
  readonly #states = new Map<string, string>();
  readonly #told = new Set<string>();
  /** Why a process ended the last time: the same again is not said again. */
  readonly #reasons = new Map<string, string>();
  #phase = "";
  #count = "";
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  /** Begins a phase; its line stands until the next begins. */
  phase(text: string): void {
    this.end();
    this.#phase = text;
    this.#count = "";
    this.#told.clear();
    if (!this.#isTerminal) {
      process.stderr.write(`${text} ...\n`);
      return;
    }
    this.#timer = setInterval(() => this.#draw(), frameMs);
    this.#draw();
  }

  /** Every process that belongs to the run, also those whose turn has not come. */
  expect(
    processes: readonly { readonly region: string; readonly service: string; readonly state: string }[],
  ): void {
    for (const { region, service, state } of processes) this.#states.set(`${region}/${service}`, state);
  }

  /** A process has changed its state. */
  changed({ region, service, state, ready, of, why }: Progress): void {
    this.#states.set(`${region}/${service}`, state);
    const filled = of === 0 ? 0 : Math.round((ready / of) * barCharacters);
    this.#count = `${"█".repeat(filled)}${"░".repeat(barCharacters - filled)} ${ready} of ${of}`;
    if (state === "restarting" && this.#reasons.get(`${region}/${service}`) !== why) {
      this.#reasons.set(`${region}/${service}`, why);
      this.line(`${region}/${service} is started again${why === "" ? "" : `: it ${why}`}`);
    }
    if (!this.#isTerminal && this.#isWhollyReady(region) && !this.#told.has(region)) {
      this.#told.add(region);
      process.stderr.write(`  ${region} is ready (${ready} of ${of} processes)\n`);
    }
  }

  /** A line that stays, beside the one that renews itself. */
  line(text: string): void {
    this.#clear();
    process.stderr.write(`${text}\n`);
  }

  /** Ends the phase; what it said stays as a plain line on a terminal. */
  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#clear();
    process.stderr.write(`✔ ${this.#phase}\n`);
  }

  /** Whether every process of the regions (not the capital) has ended. */
  get regionsHaveStopped(): boolean {
    return [...this.#states].every(([name, state]) => name.startsWith(`${capital}/`) || state === "stopped");
  }

  #isWhollyReady(region: string): boolean {
    return [...this.#states].every(([name, state]) => !name.startsWith(`${region}/`) || state === "ready");
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % frames.length;
    this.#clear();
    process.stderr.write(`${frames[this.#frame] ?? ""} ${this.#phase} ${this.#count}`);
  }

  #clear(): void {
    if (this.#isTerminal) process.stderr.write("\r\u001B[2K");
  }
}
