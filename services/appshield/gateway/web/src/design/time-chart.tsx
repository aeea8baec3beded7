/// One or two numbers over time, as lines; whatever it shows stands in a table, too.
import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import { useFormats, useLanguage } from "@/i18n/language";
import classes from "./time-chart.module.css";

const HEIGHT = 190;
const POINT = 7;

export interface ChartSeries {
  name: string;
  values: readonly (number | null)[];
}

interface TimeChartProps {
  label: string;
  /// Seconds since 1970, from the oldest.
  times: readonly number[];
  first: ChartSeries;
  second?: ChartSeries;
  /// Writes a value at the axis.
  format: (value: number) => string;
  /// What the axis reaches at least.
  highest?: number;
}

export function TimeChart({ label, times, first, second, format, highest }: TimeChartProps) {
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
    const text = (value: number | null) => (value === null ? "" : format(value));
    const top = (greatest: number) => Math.max((greatest || 1) * 1.15, highest ?? 0);
    const surface = colour("--surface");
    const chart = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [12, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, greatest) => [0, top(greatest)] } },
        axes: [
          {
            ...axis,
            values: (_, moments) => moments.map((time) => formats.day(new Date(time * 1_000))),
            space: 110,
          },
          { ...axis, values: (_, values) => values.map(text), size: 74 },
        ],
        series: [
          {},
          line(colour("--accent"), surface),
          ...(second ? [{ ...line(colour("--warn"), surface), dash: [4, 4] }] : []),
        ],
      },
      [[...times], [...first.values], ...(second ? [[...second.values]] : [])],
      target,
    );
    return () => chart.destroy();
  }, [times, first, second, format, highest, width, scheme, language, formats]);

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.legend}>
        <span>{first.name}</span>
        {second && <span data-second>{second.name}</span>}
      </figcaption>
      <div ref={ref}>
        <div ref={place} role="img" aria-label={label} />
      </div>
    </figure>
  );
}

function line(stroke: string, fill: string): uPlot.Series {
  return { stroke, width: 1.8, points: { show: true, size: POINT, stroke, fill } };
}
