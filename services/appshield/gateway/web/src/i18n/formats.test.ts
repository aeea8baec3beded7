import { describe, expect, it } from "vitest";
import { formatsOf } from "./formats";

const NOW = new Date("2026-03-01T12:00:00Z");
const en = formatsOf("en", "Europe/Berlin");
const ru = formatsOf("ru", "Asia/Vladivostok");
/// Formats put no-break spaces where a person would not look for them.
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

describe("sizes", () => {
  it.each([
    [0, "0 B", "0 Б"],
    [999, "999 B", "999 Б"],
    [1_000, "1 kB", "1 кБ"],
    [1_550_000, "1.6 MB", "1,6 МБ"],
    [123_400_000_000, "123 GB", "123 ГБ"],
  ])("%i", (bytes, english, russian) => {
    expect(plain(en.size(bytes))).toBe(english);
    expect(plain(ru.size(bytes))).toBe(russian);
  });
});

describe("durations", () => {
  it.each([
    [0.4, "0.4s"],
    [59, "59s"],
    [125, "2m 5s"],
    [3_600, "1h"],
    [90_061, "1d 1h"],
  ])("%d s", (seconds, text) => {
    expect(plain(en.duration(seconds))).toBe(text);
  });
});

describe("moments", () => {
  it("are told by how far away they are", () => {
    expect(en.relative(new Date("2026-03-01T11:57:00Z"), NOW)).toBe("3 minutes ago");
    expect(ru.relative(new Date("2026-03-01T11:39:00Z"), NOW)).toBe("21 минуту назад");
    expect(ru.relative(new Date("2026-03-01T14:00:00Z"), NOW)).toBe("через 2 часа");
  });

  it("have their year where it is another one", () => {
    const earlier = new Date("2023-11-14T12:00:00Z");
    expect(plain(en.day(NOW, NOW))).not.toContain("2026");
    expect(plain(en.day(earlier, NOW))).toContain("2023");
  });

  it("are told exactly in the zone of the person", () => {
    expect(plain(en.exact(NOW))).toContain("13:00:00");
    expect(plain(ru.exact(NOW))).toContain("22:00:00");
  });
});
