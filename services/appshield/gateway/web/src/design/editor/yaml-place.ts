/// Where in a YAML document a cursor stands, by indentation alone: documents are broken while one
/// types, so nothing here needs a document that can be read. Pure.

export type Path = readonly (string | number)[];

export interface YamlPlace {
  /// To the mapping or list around the cursor; list items are 0, since all have the same schema.
  path: Path;
  /// The key of the line, as far as it is there.
  key: string;
  /// The cursor stands behind the colon.
  inValue: boolean;
  /// Where the key begins in its line.
  keyColumn: number;
}

interface Line {
  dashes: number[];
  column: number;
  key: string;
  colon: number;
  empty: boolean;
}

const KEY = /^("[^"]*"|'[^']*'|[^\s:#{}[\],"'][^:#]*?)\s*:(?=\s|$)/;

export function placeAt(lines: readonly string[], line: number, column: number): YamlPlace {
  const here = read(lines[line] ?? "");
  const keyColumn = here.empty ? column : here.column;
  const inValue = here.colon >= 0 && column > here.colon;
  return { path: pathTo(lines, line, here, keyColumn), key: here.key, inValue, keyColumn };
}

/// The keys that stand beside the cursor in the same mapping.
export function siblings(lines: readonly string[], line: number, column: number): Set<string> {
  const found = new Set<string>();
  for (const step of [-1, 1]) {
    for (let at = line + step; at >= 0 && at < lines.length; at += step) {
      const one = read(lines[at] ?? "");
      if (one.empty) continue;
      if (one.column < column) break;
      if (step > 0 && one.dashes.some((dash) => dash < column)) break;
      if (one.column === column && one.key) found.add(one.key);
      if (step < 0 && one.dashes.length > 0 && one.column === column) break;
    }
  }
  return found;
}

function pathTo(lines: readonly string[], line: number, here: Line, keyColumn: number): Path {
  const path: (string | number)[] = [];
  let need = keyColumn;
  // A list may stand as far left as the key that it belongs to.
  let inList = false;
  const climb = ({ dashes, column, key }: Line, own: boolean) => {
    if (!own && key && (column < need || (inList && column === need))) {
      path.unshift(key);
      need = column;
      inList = false;
    }
    for (const dash of [...dashes].reverse()) {
      if (dash >= need) continue;
      path.unshift(0);
      need = dash;
      inList = true;
    }
  };
  climb(here, true);
  for (let at = line - 1; at >= 0 && (need > 0 || inList); at--) {
    const above = read(lines[at] ?? "");
    if (!above.empty) climb(above, false);
  }
  return path;
}

function read(text: string): Line {
  const dashes: number[] = [];
  let column = text.length - text.trimStart().length;
  while (/^-(\s|$)/.test(text.slice(column))) {
    dashes.push(column);
    const rest = text.slice(column + 1);
    column += 1 + (rest.length - rest.trimStart().length);
  }
  const rest = text.slice(column);
  const found = KEY.exec(rest);
  const key = (found?.[1] ?? rest.trim()).replace(/^["']|["']$/g, "");
  return {
    dashes,
    column,
    key,
    colon: found ? column + found[0].length - 1 : -1,
    empty: (rest.trim() === "" && dashes.length === 0) || rest.startsWith("#"),
  };
}
