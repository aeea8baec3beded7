/// What an editor offers and explains while one types, from the schema of the document.
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { type EditorView, hoverTooltip, type Tooltip } from "@codemirror/view";
import type { Schema } from "@/api/documents";
import { isBlock, propertiesOf, schemaAt, typeOf, valuesOf } from "./schema-place";
import { placeAt, siblings } from "./yaml-place";

type GivesSchema = () => Schema | undefined;

export function completing(schema: GivesSchema) {
  return (context: CompletionContext): CompletionResult | null => {
    const root = schema();
    if (!root) return null;
    const lines = context.state.doc.toString().split("\n");
    const line = context.state.doc.lineAt(context.pos);
    const at = line.number - 1;
    const column = context.pos - line.from;
    const place = placeAt(lines, at, column);
    const word = context.matchBefore(/[\w-]*/);
    if (!context.explicit && word && word.from === word.to) return null;
    if (place.inValue) {
      const here = schemaAt(root, [...place.path, place.key]);
      const options = here ? valuesOf(here).map((label) => ({ label, type: "enum" })) : [];
      return options.length > 0 ? { from: word?.from ?? context.pos, options } : null;
    }
    const here = schemaAt(root, place.path);
    if (!here) return null;
    const there = siblings(lines, at, place.keyColumn);
    const options = Object.entries(propertiesOf(root, here))
      .filter(([name]) => !there.has(name))
      .map(([name, inner]) => optionOf(name, inner, place.keyColumn, here.required ?? []));
    return { from: line.from + place.keyColumn, options, validFor: /^[\w-]*$/ };
  };
}

function optionOf(name: string, schema: Schema, column: number, required: string[]): Completion {
  const below = schema.type === "array" ? "- " : "";
  const behind = isBlock(schema) ? `:\n${" ".repeat(column + 2)}${below}` : ": ";
  return {
    label: name,
    apply: name + behind,
    type: "property",
    detail: typeOf(schema),
    boost: required.includes(name) ? 1 : 0,
    ...(schema.description && { info: schema.description }),
  };
}

/// Tells what a field is for when one points at it.
export function explaining(schema: GivesSchema) {
  return hoverTooltip((view: EditorView, position: number): Tooltip | null => {
    const root = schema();
    if (!root) return null;
    const line = view.state.doc.lineAt(position);
    const lines = view.state.doc.toString().split("\n");
    const place = placeAt(lines, line.number - 1, position - line.from);
    const here = place.key ? schemaAt(root, [...place.path, place.key]) : undefined;
    if (!here?.description || place.inValue) return null;
    return {
      pos: line.from + place.keyColumn,
      end: line.from + place.keyColumn + place.key.length,
      create: () => ({ dom: shown(place.key, here) }),
    };
  });
}

function shown(name: string, schema: Schema): HTMLElement {
  const tip = document.createElement("div");
  tip.className = "cm-explanation";
  const head = document.createElement("strong");
  head.textContent = name;
  const type = document.createElement("span");
  type.textContent = ` ${typeOf(schema)}`;
  const text = document.createElement("p");
  text.textContent = schema.description ?? "";
  tip.append(head, type, text);
  return tip;
}
