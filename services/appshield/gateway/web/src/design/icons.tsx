/// The few pictures that the interface needs, drawn on a grid of 16, in the colour of the text.
import type { ReactNode, SVGProps } from "react";

const SHAPES = {
  overview: <path d="M2.5 2.5h4.5v5h-4.5zM9 2.5h4.5v3H9zM9 8h4.5v5.5H9zM2.5 10h4.5v3.5h-4.5z" />,
  runs: <path d="M2.5 4h11M2.5 8h7M2.5 12h4M11.5 9.5v4l3-2z" />,
  policies: <path d="M4 1.5h5.5L12.5 4.5v10H4zM9 1.5v3.5h3.5M6 8h4.5M6 11h4.5" />,
  vaults: (
    <path d="M2 3h12v10H2zM4 13v1.5M12 13v1.5M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M8 5.5v-1M8 11.5v-1M10.5 8h1M4.5 8h1" />
  ),
  reports: <path d="M2 14h12M4 14V9M8 14V3M12 14V6" />,
  audit: <path d="M8 1.5 3 3.5v4c0 3.5 2.2 5.7 5 7 2.8-1.3 5-3.5 5-7v-4zM5.8 8l1.7 1.7L10.5 6.5" />,
  search: <path d="M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3l3.7 3.7" />,
  menu: <path d="M2 4h12M2 8h12M2 12h12" />,
  close: <path d="M3.5 3.5l9 9M12.5 3.5l-9 9" />,
  sun: (
    <path d="M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />
  ),
  moon: <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z" />,
  screen: <path d="M2 3h12v8H2zM5.5 14h5M8 11v3" />,
  language: (
    <path d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M1.5 8h13M8 1.5c-4 4-4 9 0 13M8 1.5c4 4 4 9 0 13" />
  ),
  person: <path d="M8 2a3 3 0 1 0 0 6 3 3 0 0 0 0-6M2.5 14c.5-3 2.5-4.5 5.5-4.5s5 1.5 5.5 4.5" />,
  right: <path d="M6 3l5 5-5 5" />,
  down: <path d="M3 6l5 5 5-5" />,
  up: <path d="M3 10l5-5 5 5" />,
  backup: <path d="M8 10.5V2.5M4.5 6L8 2.5 11.5 6M2.5 10v3.5h11V10" />,
  restore: <path d="M8 2.5v8M4.5 7L8 10.5 11.5 7M2.5 10v3.5h11V10" />,
  pause: <path d="M5 3v10M11 3v10" />,
  play: <path d="M4.5 2.5v11l9-5.5z" />,
  stop: <path d="M3.5 3.5h9v9h-9z" />,
  warning: <path d="M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1" />,
  pin: <path d="M5 2h6M6 2v5l-2 2.5h8L10 7V2M8 9.5V14" />,
  verified: (
    <path d="M8 1.5l1.8 1.4 2.3-.1.6 2.2 1.8 1.4-.8 2.1.8 2.1-1.8 1.4-.6 2.2-2.3-.1L8 15.5l-1.8-1.4-2.3.1-.6-2.2L1.5 10.6l.8-2.1-.8-2.1 1.8-1.4.6-2.2 2.3.1zM5.5 8.5l1.8 1.8 3.2-3.6" />
  ),
  link: (
    <path d="M6.5 9.5l3-3M7 4.5l1-1a3.2 3.2 0 0 1 4.5 4.5l-1 1M9 11.5l-1 1A3.2 3.2 0 0 1 3.5 8l1-1" />
  ),
  copy: <path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" />,
  folder: <path d="M1.5 3.5h4.5l1.5 2h7v7.5h-13z" />,
  file: <path d="M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3" />,
  download: <path d="M8 2v8.5M4.5 7L8 10.5 11.5 7M2.5 13.5h11" />,
  external: <path d="M9.5 2.5h4v4M13.5 2.5l-6 6M11 9.5v4H2.5V5h4" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof SHAPES;

export function Icon({
  name,
  size = 16,
  ...rest
}: { name: IconName; size?: number } & SVGProps<SVGSVGElement>) {
  return (
    <svg
      viewBox="0 0 16 16"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth={1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      {...rest}
    >
      {SHAPES[name]}
    </svg>
  );
}

/// The mark: a shield of layers, one for each version that is kept.
export function Brand({ size = 28 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" focusable="false">
      <path
        fill="var(--accent)"
        d="M16 2 4.5 6v9.2c0 7.1 4.8 12.2 11.5 14.8 6.7-2.6 11.5-7.7 11.5-14.8V6z"
      />
      <path
        fill="none"
        stroke="var(--surface)"
        strokeWidth={2.4}
        strokeLinecap="round"
        d="M10 11.5h12M10.5 16.5h11M13 21.5h6"
      />
    </svg>
  );
}
