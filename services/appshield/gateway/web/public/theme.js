// Runs before anything is drawn, so that a page in the dark does not flash white first.
(() => {
  let wanted = "auto";
  try {
    wanted = localStorage.getItem("appshield.theme") || "auto";
  } catch {
    // Storage is forbidden: the system's choice counts.
  }
  const dark =
    wanted === "dark" || (wanted !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
