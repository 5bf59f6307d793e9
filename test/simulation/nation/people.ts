import type { Action, Person } from "#domain/vocabulary.ts";
import { capital as capitalName } from "#domain/vocabulary.ts";
import { protectNumber, setStop, unprotectNumber } from "../../../services/coordination/domain/commands.ts";
import { sleep, type Work } from "../engine/scheduler.ts";
import { request } from "./centre.ts";
import type { Reply, Wish } from "./centre-commands.ts";
import { excuseWhatIsGone } from "./survival.ts";
import type { Region, World } from "./world.ts";

const secondMs = 1_000;
const hourMs = 3_600_000;
/** Numbers that all regions fight about, so that opinions meet. */
const foreignNumbers = ["+442079460958", "+380441234567", "+79161234567", "+14155550123", "+442079460959"];
const kazakhNumbers = ["+77012345678", "+77771234567", "+77012345678@intl-1", "+77172551111@international"];
const trunks = ["intl-1", "intl-2"];
const protectable = ["+77172551111", "+77012345678"];
const pauseMsMax = 2_500;
const retryMs = 400;
/** An answer takes no longer. */
const answerMsMax = 5_000;

/** What the people of a nation do until a time, and what they were told. */
export class People {
  readonly #world: World;
  readonly #untilMs: number;
  #requests = 0;
  /** Own directives and batches by region, as the people remember them. */
  readonly #directives = new Map<string, string[]>();
  readonly #batches = new Map<string, string[]>();
  /** Nobody waits for an answer any more. */
  waiting = 0;
  /** Numbers that the central prosecutor has protected, and the stop, as last acknowledged. */
  readonly protectedNumbers = new Set<string>();
  nationStopped = false;

  constructor(world: World, untilMs: number) {
    this.#world = world;
    this.#untilMs = untilMs;
  }

  /** The people are on no machine of ours: they run beside everything. */
  start(): void {
    for (const region of this.#world.regions) {
      this.#run(this.#works(region, "operator"));
      this.#run(this.#works(region, "regional-prosecutor"));
    }
    this.#run(this.#centralProsecutor());
  }

  #run(work: Work): void {
    const advance = (value: unknown): void => {
      this.#world.scheduler.steps += 1;
      const next = work.next(value);
      if (next.done !== true) next.value(advance);
    };
    this.#world.scheduler.at(0, () => advance(undefined));
  }

  *#works(region: Region, role: "operator" | "regional-prosecutor"): Work {
    const { scheduler, truth } = this.#world;
    const person: Person = { id: `${role}-of-${region.name}`, role, region: region.name };
    for (;;) {
      yield sleep(scheduler, scheduler.between(50, pauseMsMax));
      if (scheduler.nowMs >= this.#untilMs) return;
      const wish = this.#wish(region, role);
      if (wish === undefined) continue;
      this.#requests += 1;
      const key = `${region.name} request ${this.#requests}`;
      const reply = yield* this.#ask(region, { key, wish, person });
      if (reply.kind !== "accepted") continue;
      scheduler.note(person.id, `was told that ${key} ${wish.kind} ${wish.id} is accepted`);
      truth.acknowledged.push({ region: region.name, wish, revision: reply.revision });
      // The answer was on its way while a disk was replaced.
      if (scheduler.nowMs - (truth.olderDisks.get(region.name) ?? -Infinity) < answerMsMax)
        excuseWhatIsGone(this.#world, region);
      if (wish.kind === "issue") listOf(this.#directives, region.name).push(wish.id);
      if (wish.kind === "import") listOf(this.#batches, region.name).push(wish.id);
    }
  }

  /** Asks until there is an answer, always with the same key. */
  *#ask(region: Region, asking: Parameters<typeof request>[2]): Work<Reply> {
    this.waiting += 1;
    for (;;) {
      const reply = (yield request(this.#world, region, asking)) as Reply | undefined;
      if (reply !== undefined) {
        this.waiting -= 1;
        return reply;
      }
      yield sleep(this.#world.scheduler, retryMs);
    }
  }

  #wish(region: Region, role: "operator" | "regional-prosecutor"): Wish | undefined {
    const { scheduler } = this.#world;
    const own = listOf(this.#directives, region.name);
    const batches = listOf(this.#batches, region.name);
    const id = `${region.name}-${String(this.#requests).padStart(4, "0")}`;
    const one = own.length === 0 ? undefined : scheduler.pick(own.slice(-6));
    const termMs = scheduler.chance(0.25)
      ? scheduler.between(4, 30) * secondMs
      : scheduler.between(2, 20) * hourMs;
    const draw = scheduler.random();
    if (role === "operator") {
      if (draw < 0.45) return this.#issue(id, scheduler.pick(["warn", "block", "block", "divert"]), termMs);
      if (draw < 0.6) return one === undefined ? undefined : { kind: "revoke", id: one };
      if (draw < 0.68) return one === undefined ? undefined : { kind: "extend", id: one, termMs: hourMs };
      if (draw < 0.78) return this.#import(id, termMs);
      if (draw < 0.86)
        return { kind: "set-trunk", id: scheduler.pick(trunks), percent: scheduler.pickNumber(100) };
      return this.#issue(id, "block", termMs, scheduler.pick(kazakhNumbers));
    }
    if (draw < 0.2) return this.#issue(id, scheduler.pick(["allow", "observe", "block"]), termMs);
    if (draw < 0.35) return this.#override(id, region, termMs);
    if (draw < 0.55)
      return one === undefined ? undefined : { kind: "approve", id: one, approve: scheduler.chance(0.85) };
    if (draw < 0.65) return this.#foreign(region);
    if (draw < 0.75)
      return batches.length === 0 ? undefined : { kind: "approve-batch", id: scheduler.pick(batches) };
    if (draw < 0.82)
      return batches.length === 0 ? undefined : { kind: "revoke-batch", id: scheduler.pick(batches) };
    if (draw < 0.9) return { kind: "stop", id: "", stopped: scheduler.chance(0.5) };
    return one === undefined ? undefined : { kind: "revoke", id: one };
  }

  #issue(
    id: string,
    action: Action,
    termMs: number,
    target = this.#world.scheduler.pick(foreignNumbers),
  ): Wish {
    return { kind: "issue", id, target, action, termMs: Math.floor(termMs), overrideRevision: 0 };
  }

  /** Names the national revision that the region's own screening shows. */
  #override(id: string, region: Region, termMs: number): Wish | undefined {
    const { scheduler } = this.#world;
    const target = scheduler.pick(foreignNumbers);
    const table = region.replicas[0]?.running?.table;
    const entry = table?.entriesOf(target).measure;
    if (entry === undefined) return undefined;
    const action: Action = scheduler.pick(["warn", "block"]);
    return {
      kind: "issue",
      id,
      target,
      action,
      termMs: Math.floor(termMs),
      overrideRevision: entry.revision,
    };
  }

  #foreign({ postgres }: Region): Wish | undefined {
    const held = [...postgres.database.state.foreignHeld.keys()];
    return held.length === 0 ? undefined : { kind: "approve-foreign", id: this.#world.scheduler.pick(held) };
  }

  #import(id: string, termMs: number): Wish {
    const { scheduler } = this.#world;
    const members = Array.from({ length: 2 + scheduler.pickNumber(4) }, (_, index) => ({
      id: `${id}M${index}`,
      target:
        index === 0 ? scheduler.pick(foreignNumbers) : `+44207946${String(1000 + scheduler.pickNumber(30))}`,
    }));
    return { kind: "import", id: `${id}B`, members, termMs: Math.floor(termMs) };
  }

  *#centralProsecutor(): Work {
    const { scheduler, capital } = this.#world;
    const person: Person = { id: "central", role: "central-prosecutor", region: capitalName };
    while (scheduler.nowMs < this.#untilMs) {
      yield sleep(scheduler, scheduler.between(500, 4 * pauseMsMax));
      const number = scheduler.pick(protectable);
      const draw = scheduler.random();
      const isProtected = this.protectedNumbers.has(number);
      const stops = draw >= 0.6;
      const command = stops
        ? setStop(person, !this.nationStopped)
        : isProtected
          ? unprotectNumber(person, number)
          : protectNumber(person, number, ["dom-1"], "a bank");
      let isDone = false;
      this.waiting += 1;
      while (!isDone) {
        if (capital.orders.length === 0) capital.orders.push({ command, answer: () => (isDone = true) });
        yield sleep(scheduler, retryMs);
      }
      this.waiting -= 1;
      if (stops) this.nationStopped = !this.nationStopped;
      else if (isProtected) this.protectedNumbers.delete(number);
      else this.protectedNumbers.add(number);
    }
  }
}

function listOf(lists: Map<string, string[]>, key: string): string[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const created: string[] = [];
  lists.set(key, created);
  return created;
}
