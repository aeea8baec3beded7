/// What Mantine's components look like; colours and distances of our own are in tokens.css.
import { createTheme, type MantineColorsTuple } from "@mantine/core";

/// The colour of the brand, from the lightest to the darkest.
const tide: MantineColorsTuple = [
  "#e6f5f5",
  "#cfe9ea",
  "#a0d4d6",
  "#6cbec1",
  "#45acb0",
  "#2ba0a5",
  "#12888e",
  "#0b6b74",
  "#07575f",
  "#034349",
];

/// The greys of the dark theme: blue enough to belong to the brand.
const dark: MantineColorsTuple = [
  "#e4e9ef",
  "#c3ccd7",
  "#a3afbd",
  "#7d8b9b",
  "#5f6f82",
  "#334050",
  "#263140",
  "#18202a",
  "#121922",
  "#0d131a",
];

/// For what cannot be undone.
const danger: MantineColorsTuple = [
  "#fce8e6",
  "#f9d3cf",
  "#f7bab4",
  "#f6a49d",
  "#f58e87",
  "#e8675e",
  "#cf4439",
  "#b3261e",
  "#931b14",
  "#72120d",
];

export const theme = createTheme({
  primaryColor: "tide",
  primaryShade: 7,
  colors: { tide, dark, danger },
  fontFamily:
    "-apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', system-ui, sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: {
    fontWeight: "650",
    sizes: {
      h1: { fontSize: "22px", lineHeight: "1.3" },
      h2: { fontSize: "16px", lineHeight: "1.4" },
      h3: { fontSize: "14px", lineHeight: "1.4" },
    },
  },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  focusRing: "auto",
  components: {
    Button: { defaultProps: { size: "xs" } },
    TextInput: { defaultProps: { size: "xs" } },
    Select: { defaultProps: { size: "xs" } },
    Tooltip: { defaultProps: { withArrow: true, multiline: true, maw: 320, openDelay: 250 } },
  },
});
