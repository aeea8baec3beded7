/// How far back a report looks. Pure.

export const PERIODS = [7, 30, 90, 365] as const;
const DAY_MS = 86_400_000;

/// The beginning of the day so many days ago, so that a link means the same all day.
export function sinceOf(days: number, now: Date): string {
  const midnight = Math.floor(now.getTime() / DAY_MS) * DAY_MS;
  return new Date(midnight - days * DAY_MS).toISOString().replace(".000Z", "Z");
}
