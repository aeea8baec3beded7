/// Whether the screen is a phone's, where tables are lists of cards. Where there is no screen it is not.
export const isNarrow = (): boolean =>
  typeof window !== "undefined" && window.matchMedia("(max-width: 760px)").matches;
