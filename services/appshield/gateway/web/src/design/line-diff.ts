/// What differs between two texts, line by line, as `diff -u` writes it. Pure.

const AROUND = 3;

interface Line {
  sign: " " | "+" | "-";
  text: string;
}

/// Compare two texts of a few thousand lines at most.
export function lineDiff(before: string, after: string): string[] {
  const lines = edits(before.trimEnd().split("\n"), after.trimEnd().split("\n"));
  const near = lines.map((_, at) =>
    lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some(({ sign }) => sign !== " "),
  );
  const shown: string[] = [];
  for (const [at, { sign, text }] of lines.entries()) {
    if (near[at]) shown.push(`${sign}${text}`);
    else if (near[at - 1] && near.indexOf(true, at) > 0) shown.push("@@");
  }
  return shown;
}

/// The shortest way from one list of lines to the other, by their longest common part.
function edits(before: readonly string[], after: readonly string[]): Line[] {
  const common = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  const length = (i: number, j: number): number => common[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const row = common[i];
      if (!row) continue;
      row[j] =
        before[i] === after[j]
          ? length(i + 1, j + 1) + 1
          : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  const found: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, fresh] = [before[i], after[j]];
    if (old !== undefined && old === fresh) {
      found.push({ sign: " ", text: old });
      i++;
      j++;
    } else if (old !== undefined && (fresh === undefined || length(i + 1, j) >= length(i, j + 1))) {
      found.push({ sign: "-", text: old });
      i++;
    } else {
      found.push({ sign: "+", text: fresh ?? "" });
      j++;
    }
  }
  return found;
}
