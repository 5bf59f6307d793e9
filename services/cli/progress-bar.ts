/** Shows how far a long piece of work is. */
export interface ProgressBar {
  /** @param total where it is known better than at the start */
  update(done: number, total?: number): void;
  stop(): void;
}

const silent: ProgressBar = { update: () => undefined, stop: () => undefined };

/**
 * On a terminal alone: elsewhere the summary at the end says everything.
 *
 * @param doing the work in one word, for example `importing`
 * @param total of the unit that `update` is told in
 */
export async function progressBar(doing: string, total: number, quiet: boolean): Promise<ProgressBar> {
  if (quiet || !process.stderr.isTTY || total === 0) return silent;
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar(
    {
      format: `${doing} [{bar}] {percentage} %  {eta} s left`,
      clearOnComplete: true,
      stream: process.stderr,
    },
    progress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return {
    update(done, better = total) {
      bar.setTotal(better);
      bar.update(done);
    },
    stop: () => bar.stop(),
  };
}
