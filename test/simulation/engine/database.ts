/**
 * PostgreSQL as the services use it: a transaction happens as a whole. One with
 * `synchronous_commit = off` is lost with a crash unless a later one was
 * flushed after it.
 */
export class Database<State> {
  #state: State;
  readonly #copy: (state: State) => State;
  /** What the disk has while transactions wait to be flushed; undefined: everything. */
  #flushed: State | undefined;
  /** Counts crashes: a lock belongs to a session, and ends with it. */
  generation = 0;

  constructor(state: State, copy: (state: State) => State) {
    this.#state = state;
    this.#copy = copy;
  }

  get state(): State {
    return this.#state;
  }

  /** Runs a transaction; when it throws, or says that it was rolled back, it has changed nothing: it checks first, and writes then. */
  commit<Result>(write: (state: State) => Result): Result {
    const result = write(this.#state);
    this.#flushed = undefined;
    return result;
  }

  /** The same, flushed later. */
  commitLater<Result>(write: (state: State) => Result): Result {
    this.#flushed ??= this.#copy(this.#state);
    return write(this.#state);
  }

  crash(): void {
    if (this.#flushed !== undefined) this.#state = this.#flushed;
    this.#flushed = undefined;
    this.generation += 1;
  }

  backup(): State {
    return this.#copy(this.#state);
  }

  restore(backup: State): void {
    this.#state = this.#copy(backup);
    this.#flushed = undefined;
    this.generation += 1;
  }
}
