/// What is printed is light, whatever the screen is: paper is white.

const SCHEME = "data-mantine-color-scheme";

/// Listen before anything else does, so that what draws itself anew for paper finds light colours.
export function printInLight(): void {
  const page = document.documentElement;
  let shown: string | null = null;
  window.addEventListener("beforeprint", () => {
    shown = page.getAttribute(SCHEME);
    page.setAttribute(SCHEME, "light");
  });
  window.addEventListener("afterprint", () => {
    if (shown !== null) page.setAttribute(SCHEME, shown);
  });
}
