import { describe, expect, it } from "vitest";
import type { Schema } from "@/api/documents";
import { propertiesOf, schemaAt, valuesOf } from "./schema-place";
import { placeAt, siblings } from "./yaml-place";

const TEXT = `apiVersion: appshield.io/v1alpha1
kind: Policy
metadata:
  name: gold
spec:
  match: app.criticality == 'gold'
  protect:
  - name: nightly
    on:
      schedule: "30 2 * * *"
    keep:
      da
  - name: hourly
    
  targets:
    - primary`;
const LINES = TEXT.split("\n");
const at = (line: number, column: number) => placeAt(LINES, line, column);

describe("a place in a document", () => {
  it.each([
    [1, 0, [], "kind", false],
    [1, 9, [], "kind", true],
    [3, 4, ["metadata"], "name", false],
    [5, 20, ["spec"], "match", true],
    [7, 6, ["spec", "protect", 0], "name", false],
    [9, 20, ["spec", "protect", 0, "on"], "schedule", true],
    [11, 8, ["spec", "protect", 0, "keep"], "da", false],
    [13, 4, ["spec", "protect", 0], "", false],
    [15, 8, ["spec", "targets", 0], "primary", false],
  ])("line %i, column %i", (line, column, path, key, inValue) => {
    expect(at(line, column)).toMatchObject({ path, key, inValue });
  });

  it("knows the keys beside it, of its own list item only", () => {
    expect([...siblings(LINES, 8, 4)].sort()).toEqual(["keep", "name"]);
    expect([...siblings(LINES, 13, 4)]).toEqual(["name"]);
    expect([...siblings(LINES, 1, 0)].sort()).toEqual(["apiVersion", "metadata", "spec"]);
  });
});

const SCHEMA: Schema = {
  $ref: "#/$defs/Policy",
  $defs: {
    Policy: {
      type: "object",
      properties: { spec: { $ref: "#/$defs/Spec", description: "What it says." } },
    },
    Spec: {
      type: "object",
      description: "A spec.",
      properties: {
        protect: { type: "array", items: { $ref: "#/$defs/Rule" } },
        labels: { type: "object", additionalProperties: { type: "string" } },
      },
    },
    Rule: {
      type: "object",
      properties: { paused: { type: "boolean" }, order: { enum: ["first", "last"] } },
    },
  },
};

describe("a schema", () => {
  it("is found for a place, through references, lists and free keys", () => {
    expect(schemaAt(SCHEMA, ["spec"])?.description).toBe("What it says.");
    const rule = schemaAt(SCHEMA, ["spec", "protect", 0]);
    expect(Object.keys(propertiesOf(SCHEMA, rule ?? {}))).toEqual(["paused", "order"]);
    expect(schemaAt(SCHEMA, ["spec", "labels", "team"])?.type).toBe("string");
    expect(schemaAt(SCHEMA, ["nothing", "there"])).toBeUndefined();
  });

  it("names the values that can be counted", () => {
    const rule = ["spec", "protect", 0];
    expect(valuesOf(schemaAt(SCHEMA, [...rule, "paused"]) ?? {})).toEqual(["true", "false"]);
    expect(valuesOf(schemaAt(SCHEMA, [...rule, "order"]) ?? {})).toEqual(["first", "last"]);
  });
});
