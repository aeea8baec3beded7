/// What happened to an application, the newest first, from what the API knows of it. Pure.
import type { ApplicationDetail, Health, RpoState, RunSummary } from "@/api/types";

export type Happened = { at: string } & (
  | { what: "run"; run: RunSummary }
  | { what: "health"; health: Health }
  | { what: "rpo"; rpo: RpoState }
  | { what: "paused"; actor: string; reason: string }
);

/// A run happened when it ended, or where it has not, when it began or was asked for.
export function happenedTo(detail: ApplicationDetail, runs: readonly RunSummary[]): Happened[] {
  const { health, rpo, paused } = detail;
  const found: Happened[] = runs.map((run) => ({
    what: "run",
    at: run.finished_at ?? run.started_at ?? run.requested_at,
    run,
  }));
  if (health) found.push({ what: "health", at: health.since, health: health.status });
  if (rpo) found.push({ what: "rpo", at: rpo.since, rpo: rpo.state });
  if (paused) {
    const { at, actor = "", reason = "" } = paused;
    found.push({ what: "paused", at, actor, reason });
  }
  return found.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}
