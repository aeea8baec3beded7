/// Versions on a line of time: how large each is, and how much of it was new.
import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import type { VersionSummary } from "@/api/types";
import { useFormats, useLanguage, useTranslate } from "@/i18n/language";
import classes from "./versions-chart.module.css";

const HEIGHT = 190;
const POINT = 7;

export function VersionsChart({ versions }: { versions: readonly VersionSummary[] }) {
  const t = useTranslate();
  const formats = useFormats();
  const { language } = useLanguage();
  const scheme = useComputedColorScheme();
  const place = useRef<HTMLDivElement>(null);
  const { ref, width } = useElementSize();

  useEffect(() => {
    const target = place.current;
    // `scheme` and `language` are read from the page, which has changed when they have.
    if (!target || width === 0 || !scheme || !language) return;
    const colour = (name: string) => getComputedStyle(target).getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--text-quiet"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const size = (bytes: number | null) => (bytes === null ? "" : formats.size(bytes));
    const chart = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [12, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, greatest) => [0, (greatest || 1) * 1.15] } },
        axes: [
          {
            ...axis,
            values: (_, times) => times.map((time) => formats.day(new Date(time * 1_000))),
            space: 110,
          },
          { ...axis, values: (_, sizes) => sizes.map(size), size: 74 },
        ],
        series: [
          {},
          line(colour("--accent"), colour("--surface")),
          { ...line(colour("--warn"), colour("--surface")), dash: [4, 4] },
        ],
      },
      dataOf(versions),
      target,
    );
    return () => chart.destroy();
  }, [versions, width, scheme, language, formats]);

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.legend}>
        <span data-series="size">{t("versions.size")}</span>
        <span data-series="new">{t("versions.new")}</span>
      </figcaption>
      <div ref={ref}>
        <div ref={place} role="img" aria-label={t("versions.chart", { count: versions.length })} />
      </div>
    </figure>
  );
}

function line(stroke: string, fill: string): uPlot.Series {
  return { stroke, width: 1.8, points: { show: true, size: POINT, stroke, fill } };
}

/// Oldest first, as the chart wants them.
function dataOf(versions: readonly VersionSummary[]): uPlot.AlignedData {
  const sorted = [...versions].sort((one, other) => one.number - other.number);
  return [
    sorted.map(({ cut_at }) => Date.parse(cut_at) / 1_000),
    sorted.map(({ read_bytes }) => read_bytes),
    sorted.map(({ stored_bytes }) => stored_bytes),
  ];
}
