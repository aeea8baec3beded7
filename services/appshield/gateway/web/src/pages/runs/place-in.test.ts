import { describe, expect, it } from "vitest";
import { placeIn } from "./place-in";

describe("a wanted application", () => {
  it.each([
    ["shop", { namespace: "shop" }],
    [" shop / cart ", { namespace: "shop", name: "cart" }],
    ["shop/", { namespace: "shop" }],
    ["/cart", { name: "cart" }],
    ["", {}],
  ])("%j", (text, place) => {
    expect(placeIn(text)).toEqual(place);
  });
});
