/// A long list that is known whole is shown a part at a time, as one that comes in pages.
import { useState } from "react";
import type { MoreProps } from "./more";

const PART = 100;

export function useParts<T>(records: readonly T[]): { shown: readonly T[]; more: MoreProps } {
  const [parts, setParts] = useState(1);
  const shown = records.slice(0, parts * PART);
  return {
    shown,
    more: { has: shown.length < records.length, busy: false, load: () => setParts(parts + 1) },
  };
}
