/** The longest piece of what was given that an error repeats, in characters. */
const valueCharactersMax = 100;

/** What an {@link InvalidInput} says: field, value as given, what is wrong with it, what would be right. */
export interface InvalidInputDetail {
  /** Stable word for programs, such as `invalid-number`. */
  code: string;
  /** Name of the field as the caller knows it. */
  field: string;
  /** The value as it was given. */
  value: string;
  /** What is wrong, without field and value. */
  message: string;
  /** What would be right. */
  remedy: string;
}

/**
 * Input that cannot be understood. Thrown by the parsers of the domain and
 * translated at the edges (gRPC INVALID_ARGUMENT, HTTP 400, the command's
 * error JSON). The value may be a telephone number: never log it.
 */
export class InvalidInput extends Error {
  readonly code: string;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(detail: InvalidInputDetail) {
    super(`${detail.field}: ${detail.message}`);
    this.name = "InvalidInput";
    this.code = detail.code;
    this.field = detail.field;
    this.value =
      detail.value.length > valueCharactersMax
        ? `${detail.value.slice(0, valueCharactersMax)}…`
        : detail.value;
    this.remedy = detail.remedy;
  }
}

/**
 * One of a closed list of words.
 * @throws InvalidInput `unknown-value`, naming the words that would be right.
 */
export function parseWord<W extends string>(words: readonly W[], field: string, text: string): W {
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) {
    throw new InvalidInput({
      code: "unknown-value",
      field,
      value: text,
      message: "is not one of the known values",
      remedy: `Give one of: ${words.join(", ")}.`,
    });
  }
  return word;
}
