import { describe, expect, it } from "vitest";
import type { ApplicationSummary, RunSummary } from "@/api/types";
import { concernsOf } from "./attention";

const application = (
  name: string,
  given: Partial<ApplicationSummary> = {},
): ApplicationSummary => ({
  app_id: `a-${name}`,
  namespace: "shop",
  name,
  state: "active",
  type: "",
  criticality: "",
  health: "Healthy",
  reason: "",
  rpo: "kept",
  rpo_promised_s: 3_600,
  rpo_counted_from: null,
  rto: "",
  rto_promised_s: 0,
  rto_last_s: null,
  rto_expected_s: null,
  last_version: 3,
  last_backup_at: "2026-03-01T12:00:00Z",
  vault: "primary",
  active_run: "",
  pending_runs: 0,
  awaiting_approval: [],
  paused: false,
  refused: "",
  ...given,
});

const run = (id: string, name: string, given: Partial<RunSummary> = {}): RunSummary => ({
  id,
  kind: "backup",
  namespace: "shop",
  name,
  app_id: `a-${name}`,
  vault: "primary",
  state: "failed",
  trigger: { kind: "manual", identity: id, name: "", actor: "", reason: "" },
  requested_at: "2026-03-01T13:00:00Z",
  started_at: null,
  finished_at: null,
  version: null,
  problem: "",
  waits_for: "",
  wait_reason: null,
  ...given,
});

const told = (known: Partial<Parameters<typeof concernsOf>[0]>) =>
  concernsOf({ applications: [], awaiting: [], failed: [], ...known }).map(
    (one) => `${one.why} ${"run" in one ? one.run.name : one.application.name}`,
  );

describe("what needs attention", () => {
  it("is nothing where all is well", () => {
    expect(
      told({ applications: [application("web"), application("db", { health: "Progressing" })] }),
    ).toEqual([]);
  });

  it("begins with the worst, and tells of each application once", () => {
    const applications = [
      application("late", { rpo: "at-risk" }),
      application("slow", { rto: "broken" }),
      application("grown", { rto: "at-risk" }),
      application("ill", { health: "Degraded", rpo: "broken" }),
      application("gone", { health: "Missing" }),
      application("left", { health: "Missing", state: "orphaned" }),
    ];
    expect(told({ applications })).toEqual([
      "missing gone",
      "rpo-broken ill",
      "rpo-at-risk late",
      "rto-broken slow",
      "rto-at-risk grown",
    ]);
  });

  it("forgets a failed backup after a later one that succeeded, not a failed restore", () => {
    const failed = [
      run("b-1", "web", { requested_at: "2026-03-01T11:00:00Z" }),
      run("b-2", "db"),
      run("r-1", "web", { kind: "restore", requested_at: "2026-03-01T11:00:00Z" }),
    ];
    expect(told({ applications: [application("web"), application("db")], failed })).toEqual([
      "failed db",
      "failed web",
    ]);
  });

  it("names every run that waits for a person", () => {
    const awaiting = [run("r-1", "web"), run("r-2", "web")];
    expect(told({ awaiting })).toEqual(["approval web", "approval web"]);
  });
});
