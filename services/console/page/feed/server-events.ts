/** One message of a stream of server-sent events. */
export interface ServerEvent {
  /** `message` where the server named none. */
  readonly event: string;
  readonly data: string;
}

/** More without a line's end is not from our capital. */
const messageCharactersMax = 4 << 20;

/**
 * Reads server-sent events (WHATWG HTML, 9.2.6) from a body. The browser's own
 * EventSource is not used since it hides comments, and the comments are what
 * tells a quiet capital from a dead line.
 *
 * @param silenceMsMax nothing at all for so long, comments included, ends the reading
 * @throws Error when the line is silent or a message has no end
 */
export async function* readServerEvents(
  body: ReadableStream<Uint8Array>,
  silenceMsMax: number,
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMsMax);
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      if (rest.length > messageCharactersMax) throw new Error("a message without an end");
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      yield* blocks.map((block) => parseBlock(block)).filter(({ data }) => data !== "");
    }
  } finally {
    // The answer to a cancel is of no use to anybody: the line may be gone already.
    reader.cancel().catch(() => undefined);
  }
}

function parseBlock(block: string): ServerEvent {
  const fields = block.split(/\r?\n/).map((line) => /^([^:]*):? ?(.*)$/s.exec(line));
  const all = (name: string) =>
    fields.filter((field) => field?.[1] === name).map((field) => field?.[2] ?? "");
  return { event: all("event").at(-1) ?? "message", data: all("data").join("\n") };
}

async function within<Value>(promise: Promise<Value>, milliseconds: number): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("the line is silent")), milliseconds);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}
