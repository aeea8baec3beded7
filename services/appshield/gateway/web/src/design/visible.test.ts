import { describe, expect, it } from "vitest";
import { lastPart, visible } from "./visible";

describe("a name from a backup", () => {
  it.each([
    ["report.pdf", "report.pdf"],
    ["Отчёт 2026.txt", "Отчёт 2026.txt"],
    ["a\nb\u001b[31m", "a\\u{a}b\\u{1b}[31m"],
    ["gnp.\u202Eexe", "gnp.\\u{202e}exe"],
    ["in\u200Bvisible", "in\\u{200b}visible"],
    ["<img src=x>", "<img src=x>"],
  ])("hides nothing: %j", (name, shown) => {
    expect(visible(name)).toBe(shown);
  });

  it("is the last part of its path", () => {
    expect(lastPart("volumes/data/a.txt")).toBe("a.txt");
    expect(lastPart("volumes")).toBe("volumes");
  });
});
