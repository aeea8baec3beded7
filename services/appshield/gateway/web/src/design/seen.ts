/// Whether a part of the page has come into view, so that only what is seen is asked for.
import { useIntersection } from "@mantine/hooks";
import { type RefCallback, useState } from "react";

export function useSeen<E extends HTMLElement>(): [RefCallback<E | null>, boolean] {
  const { ref, entry } = useIntersection<E>({ rootMargin: "120px" });
  const [seen, setSeen] = useState(false);
  if (entry?.isIntersecting && !seen) setSeen(true);
  return [ref as RefCallback<E | null>, seen];
}
