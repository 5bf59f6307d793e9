/** Shows how far a file has been read. */
export interface ImportBar {
  update(bytesRead: number): void;
  stop(): void;
}

const silent: ImportBar = { update: () => undefined, stop: () => undefined };

/** On a terminal alone: elsewhere the summary at the end says everything. */
export async function importBar(bytes: number, quiet: boolean): Promise<ImportBar> {
  if (quiet || !process.stderr.isTTY || bytes === 0) return silent;
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar(
    {
      format: "importing [{bar}] {percentage} %  {eta} s left",
      clearOnComplete: true,
      stream: process.stderr,
    },
    progress.Presets.shades_classic,
  );
  bar.start(bytes, 0);
  return bar;
}
