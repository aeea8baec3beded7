/// What is written at the axes of a chart: of each mark what tells it from its neighbours. Pure.
import type { Formats } from "@/i18n/formats";

const MINUTE_S = 60;
const DAY_S = 86_400;
const MONTH_S = 28 * DAY_S;

/// Write moments (seconds since 1970) that stand so many seconds apart: the day only where it
/// begins, seconds only where minutes would repeat.
export function momentsAt(times: readonly number[], apart_s: number, formats: Formats): string[] {
  let day = "";
  return times.map((time) => {
    const at = new Date(time * 1_000);
    if (apart_s >= MONTH_S) return formats.month(at);
    const date = formats.date(at);
    if (apart_s >= DAY_S) return date;
    const clock = apart_s < MINUTE_S ? formats.time(at) : formats.minute(at);
    const begins = date !== day;
    day = date;
    return begins ? `${clock}\n${date}` : clock;
  });
}

/// Write values; what would be written twice, since it is rounded, is written once.
export function valuesAt(
  values: readonly (number | null)[],
  format: (value: number) => string,
): string[] {
  let before = "";
  return values.map((value) => {
    const text = value === null ? before : format(value);
    if (text === before) return "";
    before = text;
    return text;
  });
}

/// The beginning of a day (`2026-03-01`) where the person is, in seconds since 1970: a chart whose
/// points are days shows them at the days of the person's calendar.
export const dayAt = (day: string): number => Date.parse(`${day.slice(0, 10)}T00:00`) / 1_000;
