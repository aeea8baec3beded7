import { describe, expect, it } from "vitest";
import type { ObjectiveRow } from "@/api/reports";
import { curvesOf, inOrder, LONGEST_RESTORE, RPO_KEPT, summaryOf, toneOf, written } from "./kept";

describe("a share of the time", () => {
  it("is whole only when nothing was broken", () => {
    expect(written(1)).toBe(1);
    expect(written(0.99999)).toBe(0.9999);
    expect(written(0.29)).toBe(0.29);
    expect([1, 0.99999, 0.5].map(toneOf)).toEqual(["good", "warn", "bad"]);
  });
});

describe("shares over days", () => {
  const days = [
    { day: "2026-03-02", name: "gold", rpo_kept: 0.5, rto_kept: 1, rto_worst_s: 40 },
    { day: "2026-03-01", name: "gold", rpo_kept: 1, rto_kept: null, rto_worst_s: null },
    { day: "2026-03-02", name: "silver", rpo_kept: 0.75, rto_kept: null, rto_worst_s: 90 },
    { day: "2026-03-02", name: "", rpo_kept: null, rto_kept: null, rto_worst_s: null },
  ];

  it("are a line for each row, from the oldest day, with gaps where nothing was promised", () => {
    const { times, series } = curvesOf(days, RPO_KEPT, 4, "worst");
    expect(times).toHaveLength(2);
    expect(series).toEqual([
      { name: "gold", values: [1, 0.5] },
      { name: "silver", values: [null, 0.75] },
    ]);
  });

  it("are the worst of each day where there are too many lines", () => {
    const { series } = curvesOf(days, RPO_KEPT, 1, "worst");
    expect(series).toEqual([{ name: "worst", values: [1, 0.5] }]);
    const longest = curvesOf(days, LONGEST_RESTORE, 1, "worst");
    expect(longest.series).toEqual([{ name: "worst", values: [null, 90] }]);
  });
});

const row = (name: string, given: Partial<ObjectiveRow> = {}): ObjectiveRow => ({
  name,
  applications: 1,
  promised: 0,
  rpo_kept: null,
  rpo_broken_s: 0,
  rto_promised: 0,
  rto_proved: 0,
  rto_measured: 0,
  rto_kept: null,
  rto_last_s: null,
  rto_worst_s: null,
  ...given,
});

describe("a report at a glance", () => {
  it("counts what was promised, and is whole only where nothing was broken", () => {
    const rows = [
      row("gold", { applications: 2, promised: 2, rpo_kept: 1, rto_measured: 3, rto_worst_s: 40 }),
      row("silver", { promised: 1, rpo_kept: 0.99999, rpo_broken_s: 60, rto_worst_s: 90 }),
      row("", { applications: 4 }),
    ];
    expect(summaryOf(rows)).toEqual({
      applications: 7,
      promised: 3,
      rows: 2,
      whole: 1,
      broken_s: 60,
      restores: 3,
      longest_s: 90,
    });
    expect(summaryOf([row("")])).toMatchObject({ rows: 0, whole: 0, longest_s: null });
  });
});

describe("rows of a report", () => {
  it("stand in the order of how critical they are, and what nobody rated last", () => {
    const rows = ["", "silver", "own", "gold", "bronze", "platinum"].map((name) => row(name));
    const names = inOrder(rows).map(({ name }) => name);
    expect(names).toEqual(["platinum", "gold", "silver", "bronze", "own", ""]);
  });
});
