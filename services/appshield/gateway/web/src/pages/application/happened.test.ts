import { describe, expect, it } from "vitest";
import type { ApplicationDetail, RunSummary } from "@/api/types";
import { happenedTo } from "./happened";

const run = (id: string, given: Partial<RunSummary>) =>
  ({
    id,
    requested_at: "2026-03-01T10:00:00Z",
    started_at: null,
    finished_at: null,
    ...given,
  }) as RunSummary;

describe("what happened", () => {
  it("is told the newest first, each run by the last that is known of it", () => {
    const detail = {
      health: { status: "Degraded", since: "2026-03-01T12:00:00Z" },
      rpo: null,
      paused: { at: "2026-03-01T11:00:00Z" },
    } as ApplicationDetail;
    const runs = [
      run("b-1", {}),
      run("b-2", { started_at: "2026-03-01T10:30:00Z", finished_at: "2026-03-01T12:30:00Z" }),
    ];
    const told = happenedTo(detail, runs).map((one) =>
      one.what === "run" ? one.run.id : one.what,
    );
    expect(told).toEqual(["b-2", "health", "paused", "b-1"]);
  });
});
