/// What a JSON Schema says about a place in a document. Pure.
import type { Schema } from "@/api/documents";
import type { Path } from "./yaml-place";

export function schemaAt(root: Schema, path: Path): Schema | undefined {
  let here: Schema | undefined = resolved(root, root);
  for (const step of path) {
    if (!here) return undefined;
    const inner: Schema | undefined =
      typeof step === "number" ? here.items : propertyOf(here, step);
    here = inner && resolved(root, inner);
  }
  return here;
}

/// The values that a place takes, where they can be counted.
export function valuesOf(schema: Schema): string[] {
  if (schema.enum) return schema.enum.map(String);
  if (schema.const !== undefined) return [String(schema.const)];
  return schema.type === "boolean" ? ["true", "false"] : [];
}

/// What stands behind a key of this schema: a block below it, or a value beside it.
export function isBlock(schema: Schema): boolean {
  return schema.type === "object" || schema.type === "array" || schema.properties !== undefined;
}

export function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map(String).join(" | ");
  return [schema.type ?? ""].flat().filter(Boolean).join(" | ");
}

/// Properties of a schema, and of each of those of which it is one.
export function propertiesOf(root: Schema, schema: Schema): Record<string, Schema> {
  const own = Object.entries(schema.properties ?? {}).map(([name, inner]) => [
    name,
    resolved(root, inner),
  ]);
  const choices = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const others = choices.flatMap((one) => Object.entries(propertiesOf(root, resolved(root, one))));
  return Object.fromEntries([...others, ...own]);
}

function propertyOf(schema: Schema, name: string): Schema | undefined {
  const own = schema.properties?.[name];
  if (own) return own;
  const choices = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  const chosen = choices.map((one) => propertyOf(one, name)).find(Boolean);
  if (chosen) return chosen;
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

/// Follow references; what stands beside one counts before what it leads to.
function resolved(root: Schema, schema: Schema): Schema {
  const { $ref, ...beside } = schema;
  if (!$ref) return schema;
  const target = root.$defs?.[$ref.slice($ref.lastIndexOf("/") + 1)];
  return target ? { ...resolved(root, target), ...beside } : beside;
}
