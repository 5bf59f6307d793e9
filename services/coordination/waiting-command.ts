import type { StepDraft } from "./step.ts";

/** A command of a person, until it is carried out in a step of the leader. */
export interface WaitingCommand {
  readonly run: (step: StepDraft) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Runs a command; its answer is given once the step is committed. */
export function answerOf(command: WaitingCommand, step: StepDraft): () => void {
  try {
    const result = command.run(step);
    return () => command.resolve(result);
  } catch (error) {
    return () => command.reject(error);
  }
}
