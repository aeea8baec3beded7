import { describe, expect, it } from "vitest";
import { remembered, type Sample, speedOf } from "./speed";

const told = (...given: [number, number][]) =>
  given.reduce<Sample[]>((known, [at_ms, bytes]) => remembered(known, { at_ms, bytes }), []);
const progress = { step: "store", at: "", bytes_done: 300, bytes_total: 1_000, bytes_stored: 0 };

describe("the speed of a step", () => {
  it("is what was done over the time that it took", () => {
    expect(speedOf(told([0, 100], [1_000, 200], [2_000, 300]), progress)).toEqual({
      share: 0.3,
      rate: 100,
      left_s: 7,
    });
  });

  it("forgets what was long ago", () => {
    expect(speedOf(told([0, 0], [60_000, 10], [61_000, 300]), progress).rate).toBe(290);
  });

  it("is not known from one sample, nor its end without a total", () => {
    expect(speedOf(told([0, 100]), progress)).toMatchObject({ rate: undefined, left_s: undefined });
    expect(speedOf(told([0, 0], [1_000, 300]), { ...progress, bytes_total: 0 })).toEqual({
      share: undefined,
      rate: 300,
      left_s: undefined,
    });
  });

  it("begins anew with a new attempt", () => {
    expect(told([0, 500], [1_000, 10])).toEqual([{ at_ms: 1_000, bytes: 10 }]);
  });
});
