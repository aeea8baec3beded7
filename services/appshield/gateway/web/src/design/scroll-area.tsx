/// A part of the page that scrolls by itself, also by keyboard.
import type { ReactNode } from "react";

interface ScrollAreaProps {
  "aria-label": string;
  className: string | undefined;
  children: ReactNode;
}

export function ScrollArea(props: ScrollAreaProps) {
  // biome-ignore lint/a11y/noNoninteractiveTabindex: without it only a mouse could scroll
  return <section tabIndex={0} data-scrolls {...props} />;
}
