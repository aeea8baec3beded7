/// Where the objects of an application stand in their picture: in layers, arrows to the right. Pure.

export interface Edge {
  source: string;
  target: string;
}

export interface Placed {
  id: string;
  x: number;
  y: number;
}

export interface Layout {
  nodes: Placed[];
  width: number;
  height: number;
}

export const NODE_WIDTH = 196;
export const NODE_HEIGHT = 42;
const BETWEEN_LAYERS = 64;
const BETWEEN_NODES = 14;
const SWEEPS = 4;

/// Place nodes; what refers to nothing and is referred to by nothing stands below the others.
export function layoutOf(ids: readonly string[], edges: readonly Edge[]): Layout {
  const known = new Set(ids);
  const real = edges.filter(
    ({ source, target }) => known.has(source) && known.has(target) && source !== target,
  );
  const joined = new Set(real.flatMap(({ source, target }) => [source, target]));
  const layers = ordered(
    layersOf(
      ids.filter((id) => joined.has(id)),
      real,
    ),
    real,
  );
  const nodes = layers.flatMap(placedIn);
  const tallest = Math.max(0, ...layers.map((layer) => layer.length));
  const columns = Math.max(layers.length, 4);
  const alone = ids.filter((id) => !joined.has(id));
  const top = offset(tallest) + (tallest > 0 && alone.length > 0 ? NODE_HEIGHT : 0);
  const below = alone.map((id, at) => ({
    id,
    x: (at % columns) * (NODE_WIDTH + BETWEEN_LAYERS),
    y: top + offset(Math.floor(at / columns)),
  }));
  const all = [...nodes, ...below];
  return {
    nodes: all,
    width: Math.max(0, ...all.map(({ x }) => x + NODE_WIDTH)),
    height: Math.max(0, ...all.map(({ y }) => y + NODE_HEIGHT)),
  };
}

const offset = (place: number): number => place * (NODE_HEIGHT + BETWEEN_NODES);

/// Each node stands one layer behind the last of those that point at it; circles are cut.
function layersOf(ids: readonly string[], edges: readonly Edge[]): string[][] {
  const before = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { source, target } of edges) before.get(target)?.push(source);
  const depths = new Map<string, number>();
  const entered = new Set<string>();
  function depth(id: string): number {
    const known = depths.get(id);
    if (known !== undefined) return known;
    if (entered.has(id)) return -1;
    entered.add(id);
    const found = Math.max(-1, ...(before.get(id) ?? []).map(depth)) + 1;
    depths.set(id, found);
    return found;
  }
  const layers: string[][] = [];
  for (const id of ids) {
    const at = depth(id);
    layers[at] = [...(layers[at] ?? []), id];
  }
  return layers.filter((layer) => layer !== undefined);
}

/// Turn each layer so that its nodes stand near those that they are joined to.
function ordered(layers: string[][], edges: readonly Edge[]): string[][] {
  const neighbours = new Map<string, string[]>();
  for (const { source, target } of edges) {
    neighbours.set(source, [...(neighbours.get(source) ?? []), target]);
    neighbours.set(target, [...(neighbours.get(target) ?? []), source]);
  }
  let current = layers;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const places = new Map(
      current.flatMap((layer) => layer.map((id, at) => [id, at + (1 - layer.length) / 2])),
    );
    const middle = (id: string) => {
      const near = (neighbours.get(id) ?? []).map((other) => places.get(other) ?? 0);
      return near.reduce((sum, place) => sum + place, 0) / Math.max(1, near.length);
    };
    current = current.map((layer) => [...layer].sort((one, other) => middle(one) - middle(other)));
  }
  return current;
}

function placedIn(layer: readonly string[], column: number): Placed[] {
  return layer.map((id, row) => ({
    id,
    x: column * (NODE_WIDTH + BETWEEN_LAYERS),
    y: offset(row),
  }));
}
