import { describe, expect, it } from "vitest";
import { changed, isNamespace, pathsOf, restoreOf, stepOf, withPath } from "./choices";

const DRY = { dry_run: true, needs_approval: false, reason: "" };

describe("choices for a restore", () => {
  it("are everything into its own namespace if nobody says otherwise", () => {
    expect(restoreOf({ version: "7" }, "shop", DRY)).toMatchObject({
      version: 7,
      target_namespace: "shop",
      paths: [],
      existing: false,
      delete_extra: false,
    });
  });

  it("delete nothing unless they go onto what is there", () => {
    expect(restoreOf({ version: "7", extra: "1" }, "shop", DRY).delete_extra).toBe(false);
    const both = restoreOf({ version: "7", extra: "1", existing: "1" }, "shop", DRY);
    expect(both.delete_extra).toBe(true);
  });

  it("forget what was checked when they change", () => {
    const search = { version: "7", check: "r-1", target: "lab" };
    expect(changed(search, { existing: "1" })).toEqual({
      version: "7",
      target: "lab",
      existing: "1",
    });
    expect(changed(search, { target: undefined })).toEqual({ version: "7" });
  });

  it("keep names of files whole, whatever is in them", () => {
    const paths = withPath(["volumes/data"], "volumes/a, b", true);
    expect(pathsOf({ paths })).toEqual(["volumes/data", "volumes/a, b"]);
    expect(withPath(pathsOf({ paths }), "volumes/data", false)).toBe("volumes/a, b");
  });

  it("name a namespace as the cluster allows it", () => {
    expect(["shop", "shop-2", "a"].every(isNamespace)).toBe(true);
    expect(["", "Shop", "-a", "a_b", "a".repeat(64)].some(isNamespace)).toBe(false);
  });

  it("begin at the first step when an address names none", () => {
    expect(stepOf({})).toBe("where");
    expect(stepOf({ step: "check" })).toBe("check");
    expect(stepOf({ step: "nonsense" })).toBe("where");
  });
});
