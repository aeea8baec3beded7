/// How well promises were kept, for people who read it as a grade. Pure.
import type { ObjectiveDay, ObjectiveRow } from "@/api/reports";
import { dayAt } from "@/design/axis";
import type { Tone } from "@/design/status";

const PARTS = 10_000;
/// Shares are never exactly what they were computed from.
const HAIR = 1e-9;
const ALMOST = 0.99;

/// A share as it is written: cut, not rounded, since a promise that was broken was not kept in full.
export const written = (share: number): number => Math.floor(share * PARTS + HAIR) / PARTS;

export const toneOf = (share: number): Tone => {
  const shown = written(share);
  return shown === 1 ? "good" : shown >= ALMOST ? "warn" : "bad";
};

/// What matters most stands first; what nobody has rated stands last.
const CRITICALITIES: readonly string[] = ["platinum", "gold", "silver", "bronze"];

/// The rows of a report in the order in which people read them.
export const inOrder = (rows: readonly ObjectiveRow[]): ObjectiveRow[] =>
  [...rows].sort(
    (one, other) => placeOf(one) - placeOf(other) || one.name.localeCompare(other.name),
  );

function placeOf({ name }: ObjectiveRow): number {
  const known = CRITICALITIES.indexOf(name);
  return known >= 0 ? known : CRITICALITIES.length + (name ? 0 : 1);
}

/// A report in a few numbers.
export interface Summary {
  applications: number;
  promised: number;
  /// How many rows have a promise, and how many of them kept it the whole time.
  rows: number;
  whole: number;
  broken_s: number;
  restores: number;
  longest_s: number | null;
}

export function summaryOf(rows: readonly ObjectiveRow[]): Summary {
  const sum = (of: (row: ObjectiveRow) => number) => rows.reduce((all, row) => all + of(row), 0);
  const shares = rows.flatMap(({ rpo_kept }) => rpo_kept ?? []);
  const longest = rows.flatMap(({ rto_worst_s }) => rto_worst_s ?? []);
  return {
    applications: sum(({ applications }) => applications),
    promised: sum(({ promised }) => promised),
    rows: shares.length,
    whole: shares.filter((share) => written(share) === 1).length,
    broken_s: sum(({ rpo_broken_s }) => rpo_broken_s),
    restores: sum(({ rto_measured }) => rto_measured),
    longest_s: longest.length > 0 ? Math.max(...longest) : null,
  };
}

export interface Curve {
  name: string;
  values: (number | null)[];
}

export interface Curves {
  /// Beginnings of days, in seconds since 1970.
  times: number[];
  series: Curve[];
}

export interface Measure {
  of: (day: ObjectiveDay) => number | null;
  /// The worst of several.
  worst: (...values: number[]) => number;
}

export const RPO_KEPT: Measure = { of: ({ rpo_kept }) => rpo_kept, worst: Math.min };
export const LONGEST_RESTORE: Measure = { of: ({ rto_worst_s }) => rto_worst_s, worst: Math.max };

/// One line for each row over its days; of more rows than a person can tell apart the worst alone.
export function curvesOf(
  days: readonly ObjectiveDay[],
  measure: Measure,
  lines_max: number,
  worst: string,
): Curves {
  const dates = [...new Set(days.map(({ day }) => day))].sort();
  const rows = new Map<string, Map<string, number>>();
  for (const one of days) {
    const value = measure.of(one);
    if (value === null) continue;
    const row = rows.get(one.name) ?? new Map<string, number>();
    rows.set(one.name, row.set(one.day, value));
  }
  const times = dates.map(dayAt);
  if (rows.size > lines_max) {
    const values = dates.map((day) => {
      const found = [...rows.values()].flatMap((row) => row.get(day) ?? []);
      return found.length > 0 ? measure.worst(...found) : null;
    });
    return { times, series: [{ name: worst, values }] };
  }
  const series = [...rows].map(([name, row]) => ({
    name,
    values: dates.map((day) => row.get(day) ?? null),
  }));
  return { times, series };
}
