import { describe, expect, it } from "vitest";
import { formatsOf } from "@/i18n/formats";
import { momentsAt, valuesAt } from "./axis";

const formats = formatsOf("en-GB", "UTC");
const NOON = Date.parse("2026-03-01T12:00:00Z") / 1_000;
const times = (apart_s: number, count = 4) =>
  Array.from({ length: count }, (_, at) => NOON + at * apart_s);

describe("moments at an axis", () => {
  it.each([
    ["seconds", 20, ["12:00:00\n1 Mar", "12:00:20", "12:00:40", "12:01:00"]],
    ["minutes", 300, ["12:00\n1 Mar", "12:05", "12:10", "12:15"]],
    ["hours over midnight", 21_600, ["12:00\n1 Mar", "18:00", "00:00\n2 Mar", "06:00"]],
    ["days", 86_400, ["1 Mar", "2 Mar", "3 Mar", "4 Mar"]],
    ["months", 31 * 86_400, ["Mar 2026", "Apr 2026", "May 2026", "Jun 2026"]],
  ])("%s apart are told apart, and no more", (_, apart_s, written) => {
    expect(momentsAt(times(apart_s), apart_s, formats)).toEqual(written);
  });
});

describe("values at an axis", () => {
  it("are not repeated when they are rounded", () => {
    const written = valuesAt([0, 0.4, 1, null, 1.2], (value) => String(Math.round(value)));
    expect(written).toEqual(["0", "", "1", "", ""]);
  });
});
