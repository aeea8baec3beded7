/// Sizes, moments and durations for people. Pure: the moment that is now is given.
///
/// Sizes are in powers of ten, as the command line writes them.

const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

const SIZES = ["kilobyte", "megabyte", "gigabyte", "terabyte", "petabyte"] as const;

export interface Formats {
  number(value: number, digits?: number): string;
  percent(share: number, digits?: number): string;
  size(bytes: number): string;
  rate(bytesPerSecond: number): string;
  /// A length of time in its two greatest units: `2m 5s`.
  duration(seconds: number): string;
  /// How far a moment is away: `3 minutes ago`, `in 2 hours`.
  relative(at: Date, now: Date): string;
  /// The whole moment in the zone, with the zone's name.
  exact(at: Date): string;
  /// The moment of a day, to the second.
  time(at: Date): string;
  /// The moment of a day, to the minute.
  minute(at: Date): string;
  /// The day, and the moment of it to the minute; of another year than now, that year, too.
  day(at: Date, now?: Date): string;
  date(at: Date): string;
  month(at: Date): string;
}

export function formatsOf(locale: string, timeZone?: string): Formats {
  const russian = locale.startsWith("ru");
  const zone = timeZone === undefined ? {} : { timeZone };
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const written = (parts: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, { ...zone, hourCycle: "h23", ...parts });
  const minutes = { hour: "2-digit", minute: "2-digit" } as const;
  const seconds = { ...minutes, second: "2-digit" } as const;
  const date = { day: "numeric", month: "short" } as const;
  const exact = written({ ...date, ...seconds, year: "numeric", timeZoneName: "short" });
  const [time, minute] = [written(seconds), written(minutes)];
  const day = written({ ...date, ...minutes });
  const earlierDay = written({ ...date, ...minutes, year: "numeric" });
  const [dates, months] = [written(date), written({ month: "short", year: "numeric" })];

  function size(bytes: number): string {
    const step = bytes < 1_000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), SIZES.length);
    const scaled = bytes / 1_000 ** step;
    const name = SIZES[step - 1];
    if (name === undefined) return `${Math.round(bytes)}\u00a0${russian ? "Б" : "B"}`;
    return unit(scaled, name, "short", scaled >= 100 ? 0 : 1);
  }

  function unit(value: number, name: string, unitDisplay: "short" | "narrow", digits = 0): string {
    const options = { unit: name, unitDisplay, maximumFractionDigits: digits };
    return new Intl.NumberFormat(locale, { style: "unit", ...options }).format(value);
  }

  function duration(seconds: number): string {
    if (seconds < 10) return unit(seconds, "second", "narrow", 1);
    const whole = Math.round(seconds);
    const parts: [number, string][] = [
      [Math.floor(whole / DAY_S), "day"],
      [Math.floor((whole % DAY_S) / HOUR_S), "hour"],
      [Math.floor((whole % HOUR_S) / MINUTE_S), "minute"],
      [whole % MINUTE_S, "second"],
    ];
    const first = parts.findIndex(([value]) => value > 0);
    return parts
      .slice(first, first + 2)
      .filter(([value]) => value > 0)
      .map(([value, name]) => unit(value, name, "narrow"))
      .join(" ");
  }

  return {
    number: (value, digits = 0) =>
      new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value),
    percent: (share, digits = 0) =>
      new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: digits }).format(
        share,
      ),
    size,
    rate: (bytesPerSecond) => `${size(bytesPerSecond)}/${russian ? "с" : "s"}`,
    duration,
    relative: (at, now) => relative.format(...distance((at.getTime() - now.getTime()) / SECOND_MS)),
    exact: (at) => exact.format(at),
    time: (at) => time.format(at),
    minute: (at) => minute.format(at),
    day: (at, now = new Date()) =>
      (at.getFullYear() === now.getFullYear() ? day : earlierDay).format(at),
    date: (at) => dates.format(at),
    month: (at) => months.format(at),
  };
}

/// The unit in which people would say how far away something is.
function distance(seconds: number): [number, Intl.RelativeTimeFormatUnit] {
  const away = Math.abs(seconds);
  if (away < 45) return [Math.round(seconds), "second"];
  if (away < 45 * MINUTE_S) return [Math.round(seconds / MINUTE_S), "minute"];
  if (away < 22 * HOUR_S) return [Math.round(seconds / HOUR_S), "hour"];
  if (away < 45 * DAY_S) return [Math.round(seconds / DAY_S), "day"];
  if (away < 320 * DAY_S) return [Math.round(seconds / (30.4 * DAY_S)), "month"];
  return [Math.round(seconds / (365 * DAY_S)), "year"];
}
