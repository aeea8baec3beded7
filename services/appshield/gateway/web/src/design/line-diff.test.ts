import { describe, expect, it } from "vitest";
import { lineDiff } from "./line-diff";

describe("a diff of two texts", () => {
  it("is empty of the same text", () => {
    expect(lineDiff("a\nb\n", "a\nb")).toEqual([]);
  });

  it("shows what came, what went, and a little around it", () => {
    const before = "1\n2\n3\n4\n5\n6\n7\n8\n9";
    const after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10";
    expect(lineDiff(before, after)).toEqual([
      " 2",
      " 3",
      " 4",
      "-5",
      "+five",
      " 6",
      " 7",
      " 8",
      " 9",
      "+10",
    ]);
  });

  it("leaves out what is far from any change", () => {
    const many = Array.from({ length: 30 }, (_, at) => `line ${at}`);
    const lines = lineDiff(
      many.join("\n"),
      [...many, "end"].map((one) => (one === "line 0" ? "begin" : one)).join("\n"),
    );
    expect(lines).toContain("@@");
    expect(lines).not.toContain(" line 15");
  });
});
