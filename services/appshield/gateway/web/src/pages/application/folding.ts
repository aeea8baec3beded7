/// What of an application is drawn: each object, or, where they are too many for a picture, boxes of
/// those that are alike. Pure.
import type { Edge } from "./layout";

/// With more boxes than these a picture tells less than a list.
export const DRAWN_MAX = 120;

export interface Foldable {
  id: string;
  kind: string;
  name: string;
  component: string;
  problem: string;
  saved: boolean;
}

export interface Related extends Edge {
  relation: string;
}

/// One object, or several that are alike: the first of them stands for all.
export interface Box<T> {
  id: string;
  first: T;
  objects: readonly T[];
}

export interface Folded<T> {
  boxes: Box<T>[];
  edges: Related[];
}

/// Fold as little as is needed: first those that belong to the same ones, then those of a component,
/// then those of a kind. What has a problem is never in one box with what has none.
export function folded<T extends Foldable>(
  objects: readonly T[],
  edges: readonly Related[],
  most = DRAWN_MAX,
): Folded<T> {
  const neighbours = neighboursOf(edges);
  const standing = ({ kind, problem, saved }: T) => [kind, problem ? "problem" : "", saved];
  const levels: ((object: T) => string)[] = [
    ({ id }) => id,
    (object) =>
      JSON.stringify([...standing(object), object.component, neighbours.get(object.id) ?? []]),
    (object) => JSON.stringify([...standing(object), object.component]),
    (object) => JSON.stringify(standing(object)),
  ];
  let found: Folded<T> = { boxes: [], edges: [] };
  for (const alike of levels) {
    found = foldedBy(objects, edges, alike);
    if (found.boxes.length <= most) break;
  }
  return found;
}

function foldedBy<T extends Foldable>(
  objects: readonly T[],
  edges: readonly Related[],
  alike: (object: T) => string,
): Folded<T> {
  const groups = new Map<string, T[]>();
  for (const object of objects) {
    const key = alike(object);
    const group = groups.get(key);
    if (group) group.push(object);
    else groups.set(key, [object]);
  }
  const boxOf = new Map<string, string>();
  const boxes: Box<T>[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (!first) continue;
    boxes.push({ id: first.id, first, objects: group });
    for (const { id } of group) boxOf.set(id, first.id);
  }
  const joined = new Map<string, Related>();
  for (const { source, target, relation } of edges) {
    const [from, to] = [boxOf.get(source), boxOf.get(target)];
    if (!from || !to || from === to) continue;
    joined.set(`${from} ${to} ${relation}`, { source: from, target: to, relation });
  }
  return { boxes, edges: [...joined.values()] };
}

/// For each object what it is joined to, in which way, always in the same order.
function neighboursOf(edges: readonly Related[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const note = (id: string, other: string) => {
    const known = found.get(id);
    if (known) known.push(other);
    else found.set(id, [other]);
  };
  for (const { source, target, relation } of edges) {
    note(source, `${relation} > ${target}`);
    note(target, `${relation} < ${source}`);
  }
  for (const known of found.values()) known.sort();
  return found;
}
