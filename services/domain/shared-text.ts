/** Beyond this many different words, a text is kept as it came: memory stays bounded whatever arrives. */
const wordsMax = 10_000;
const words = new Map<string, string>();

/**
 * The same string object for the same text. Decoding gives every row its own
 * copy of words such as `block` or `fraud`; a table of a million rows would
 * keep millions of them.
 */
export function sharedText(text: string): string {
  const known = words.get(text);
  if (known !== undefined) {
    return known;
  }
  if (words.size < wordsMax) {
    words.set(text, text);
  }
  return text;
}
