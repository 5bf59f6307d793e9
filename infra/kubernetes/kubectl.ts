import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findTool } from "../toolchain/tools.ts";
import { Problem } from "../problem.ts";

const run = promisify(execFile);
const answerWaitMs = 30_000;
const answerBytesMax = 256 * 1024 ** 2;

/**
 * Asks the cluster behind a context of the kubeconfig.
 *
 * @returns what kubectl printed
 * @throws Problem `cluster-unreachable` in kubectl's words; ToolMissing without kubectl
 */
export async function askCluster(context: string, parameters: readonly string[]): Promise<string> {
  const options = { timeout: answerWaitMs, maxBuffer: answerBytesMax };
  try {
    const { stdout } = await run(findTool("kubectl"), ["--context", context, ...parameters], options);
    return stdout;
  } catch (error) {
    if (!(error instanceof Error && "stderr" in error)) throw error;
    const words = String(error.stderr).trim().split("\n").at(-1) ?? "";
    throw new Problem({
      code: "cluster-unreachable",
      field: "cluster.context",
      value: context,
      message: `the cluster ${context} did not answer: ${words === "" ? error.message : words}`,
      remedy: "see `kubectl config get-contexts`, and try `kubectl --context ... version`",
    });
  }
}
