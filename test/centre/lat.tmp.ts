import { CentreService, prosecutor } from "./centre-service.ts";
const s = await CentreService.start();
const t: number[] = [];
for (let i = 0; i < 600; i++) {
  const b = performance.now();
  await s.issue(prosecutor, { number: `+4420${70000000 + i}` });
  t.push(performance.now() - b);
}
const u = t.slice(100).sort((a, b) => a - b);
console.log("p50", u[250], "p90", u[450], "p99", u[494]);
await s.stop();
