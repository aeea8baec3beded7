import { describe, expect, it } from "vitest";
import { write } from "./plural";

const VERSIONS = {
  one: "{count} версия",
  few: "{count} версии",
  many: "{count} версий",
  other: "{count} версии",
};

describe("a message", () => {
  it.each([
    [1, "1 версия"],
    [2, "2 версии"],
    [5, "5 версий"],
    [11, "11 версий"],
    [21, "21 версия"],
    [114, "114 версий"],
  ])("in Russian has the form that %i asks for", (count, text) => {
    expect(write(VERSIONS, { count }, "ru")).toBe(text);
  });

  it("keeps a place for which no value was given, so that a mistake is seen", () => {
    expect(write("{who} of {app}", { app: "shop" }, "en")).toBe("{who} of shop");
  });
});
