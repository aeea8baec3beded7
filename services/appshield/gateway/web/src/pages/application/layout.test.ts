import { describe, expect, it } from "vitest";
import { layoutOf, NODE_HEIGHT, NODE_WIDTH } from "./layout";

const at = (layout: ReturnType<typeof layoutOf>, id: string) =>
  layout.nodes.find((node) => node.id === id);

describe("the picture of an application", () => {
  it("has every object once, and none on top of another", () => {
    const ids = ["app", "db", "web", "pod", "secret", "alone", "lonely"];
    const edges = [
      { source: "app", target: "db" },
      { source: "app", target: "web" },
      { source: "db", target: "pod" },
      { source: "web", target: "secret" },
      { source: "db", target: "secret" },
    ];
    const { nodes, width, height } = layoutOf(ids, edges);
    expect(nodes.map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const one of nodes) {
      expect(one.x + NODE_WIDTH).toBeLessThanOrEqual(width);
      expect(one.y + NODE_HEIGHT).toBeLessThanOrEqual(height);
      for (const other of nodes) {
        if (one === other) continue;
        const apart =
          Math.abs(one.x - other.x) >= NODE_WIDTH || Math.abs(one.y - other.y) >= NODE_HEIGHT;
        expect(apart, `${one.id} and ${other.id}`).toBe(true);
      }
    }
  });

  it("lets arrows point to the right", () => {
    const layout = layoutOf(
      ["c", "b", "a"],
      [
        { source: "a", target: "b" },
        { source: "b", target: "c" },
        { source: "a", target: "c" },
      ],
    );
    expect(layout.nodes.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(at(layout, "c")?.x).toBeGreaterThan(at(layout, "b")?.x ?? 0);
  });

  it("survives circles, and arrows to what is not there", () => {
    const layout = layoutOf(
      ["a", "b"],
      [
        { source: "a", target: "b" },
        { source: "b", target: "a" },
        { source: "b", target: "gone" },
      ],
    );
    expect(layout.nodes).toHaveLength(2);
  });
});
