import { pino, type Logger } from "pino";

export type Log = Logger;

/**
 * The structured log of one service. Lines carry ids, counts and region slugs;
 * never telephone numbers or names (domain.md, "What the law asks").
 */
export function createLog(service: string, region: string, level: string): Log {
  return pino({
    level,
    base: { service, region },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
}
