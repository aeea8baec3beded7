/// What a person should look at first, the worst first. Pure.
import type { ApplicationSummary, RunSummary } from "@/api/types";

export type Concern =
  | {
      why:
        | "missing"
        | "degraded"
        | "refused"
        | "rpo-broken"
        | "rpo-at-risk"
        | "rto-broken"
        | "rto-at-risk";
      application: ApplicationSummary;
    }
  | { why: "approval" | "failed"; run: RunSummary };

const ORDER: readonly Concern["why"][] = [
  "missing",
  "rpo-broken",
  "degraded",
  "approval",
  "failed",
  "refused",
  "rpo-at-risk",
  "rto-broken",
  "rto-at-risk",
];

export interface Known {
  applications: readonly ApplicationSummary[];
  awaiting: readonly RunSummary[];
  failed: readonly RunSummary[];
}

/// Each application is told about once, by what is worst about it; each run that waits by itself.
export function concernsOf({ applications, awaiting, failed }: Known): Concern[] {
  const found = new Map<string, Concern>();
  const all = [
    ...awaiting.map((run): Concern => ({ why: "approval", run })),
    ...failed.filter(isNews(applications)).map((run): Concern => ({ why: "failed", run })),
    ...applications.flatMap(concernOf),
  ].sort((one, other) => rank(one) - rank(other));
  for (const concern of all) {
    const key = concern.why === "approval" ? concern.run.id : placeOf(concern);
    if (!found.has(key)) found.set(key, concern);
  }
  return [...found.values()];
}

function concernOf(application: ApplicationSummary): Concern[] {
  if (application.state !== "active") return [];
  const concerns: Concern[] = [];
  if (application.health === "Missing") concerns.push({ why: "missing", application });
  if (application.health === "Degraded") concerns.push({ why: "degraded", application });
  if (application.rpo === "broken") concerns.push({ why: "rpo-broken", application });
  if (application.rpo === "at-risk") concerns.push({ why: "rpo-at-risk", application });
  if (application.rto === "broken") concerns.push({ why: "rto-broken", application });
  if (application.rto === "at-risk") concerns.push({ why: "rto-at-risk", application });
  if (application.refused) concerns.push({ why: "refused", application });
  return concerns;
}

/// A failure is news until a later backup of the application has succeeded.
function isNews(applications: readonly ApplicationSummary[]): (run: RunSummary) => boolean {
  const lastBackups = new Map(applications.map((one) => [one.app_id, one.last_backup_at ?? ""]));
  return (run) =>
    run.kind !== "backup" ||
    Date.parse(run.requested_at) >= (Date.parse(lastBackups.get(run.app_id) ?? "") || 0);
}

const rank = (concern: Concern): number => ORDER.indexOf(concern.why);

function placeOf(concern: Concern): string {
  const { namespace, name } = "run" in concern ? concern.run : concern.application;
  return `${namespace}/${name}`;
}
