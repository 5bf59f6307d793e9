/** What a test reads of the picture that the nation's page is made from. */
export interface Page {
  readonly alarms: readonly { readonly region: string; readonly code: string; readonly subject: string }[];
}

/**
 * The first picture that the capital's event stream gives a page.
 *
 * @param address of its HTTP server
 */
export async function pageAt(address: string, headers: Readonly<Record<string, string>> = {}): Promise<Page> {
  const ended = new AbortController();
  const answer = await fetch(`http://${address}/v1/events`, { headers, signal: ended.signal });
  let text = "";
  try {
    for await (const part of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += part;
      const [, data] = /^data: (.*)\n\n/m.exec(text) ?? [];
      if (data !== undefined) return JSON.parse(data) as Page;
    }
  } finally {
    ended.abort();
  }
  throw new Error(`the capital's page ended: ${answer.status} ${text}`);
}
