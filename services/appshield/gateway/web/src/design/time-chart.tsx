/// Numbers over time, as lines; whatever it shows stands in a table, too.
import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import { useFormats, useLanguage } from "@/i18n/language";
import { momentsAt, valuesAt } from "./axis";
import classes from "./time-chart.module.css";

const HEIGHT = 200;
const POINT = 7;
const DAY_S = 86_400;
/// As wide as a sheet of paper, less its margins.
const PRINTED_WIDTH = 620;
const DAYS_APART = [1, 2, 3, 5, 7, 10, 15, 30, 60, 90, 180, 365].map((days) => days * DAY_S);
/// Lines are told apart by their colour and by how they are dashed.
const LOOKS: readonly { colour: string; dash: number[] }[] = [
  { colour: "--accent", dash: [] },
  { colour: "--warn", dash: [5, 4] },
  { colour: "--active", dash: [2, 3] },
  { colour: "--idle", dash: [9, 4, 2, 4] },
];
export const LINES_MAX = LOOKS.length;

export interface ChartSeries {
  name: string;
  values: readonly (number | null)[];
}

interface TimeChartProps {
  label: string;
  /// Seconds since 1970, from the oldest.
  times: readonly number[];
  series: readonly ChartSeries[];
  /// Writes a value at the axis.
  format: (value: number) => string;
  /// Where the axis ends; a little above the greatest value without.
  highest?: number;
  /// Points are whole days.
  daily?: boolean;
  /// Says what stands at a point, while somebody points at it.
  describe: (at: number) => string;
}

export function TimeChart(props: TimeChartProps) {
  const { label, times, series, format, highest, daily = false, describe } = props;
  const formats = useFormats();
  const { language } = useLanguage();
  const scheme = useComputedColorScheme();
  const place = useRef<HTMLDivElement>(null);
  const { ref, width } = useElementSize();
  const [pointed, setPointed] = useState<number | null>(null);

  useEffect(() => {
    const target = place.current;
    // `scheme` and `language` are read from the page, which has changed when they have.
    if (!target || width === 0 || !scheme || !language) return;
    const colour = (name: string) => getComputedStyle(target).getPropertyValue(name).trim();
    // Asked for each time, since what is printed is light.
    const rule = { stroke: () => colour("--line"), width: 1 };
    const axis = {
      stroke: () => colour("--text-quiet"),
      grid: rule,
      ticks: rule,
      font: "12px system-ui, sans-serif",
    };
    const top = (greatest: number | null) => highest ?? (greatest || 1) * 1.15;
    const chart = new uPlot(
      {
        width,
        height: HEIGHT,
        padding: [12, 30, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { y: { range: (_, __, greatest) => [0, top(greatest)] } },
        axes: [
          {
            ...axis,
            values: (_, moments, __, ___, apart_s) => momentsAt(moments, apart_s, formats),
            space: 90,
            ...(daily && { incrs: DAYS_APART }),
          },
          { ...axis, values: (_, values) => valuesAt(values, format), size: 74 },
        ],
        series: [{}, ...series.map((_, at) => line(at, colour))],
        hooks: { setCursor: [({ cursor }) => setPointed(cursor.idx ?? null)] },
      },
      [[...times], ...series.map(({ values }) => [...values])],
      target,
    );
    const resized = (wide: number) => () =>
      chart.batch(() => chart.setSize({ width: wide, height: HEIGHT }));
    const [printing, printed] = [resized(Math.min(width, PRINTED_WIDTH)), resized(width)];
    window.addEventListener("beforeprint", printing);
    window.addEventListener("afterprint", printed);
    return () => {
      window.removeEventListener("beforeprint", printing);
      window.removeEventListener("afterprint", printed);
      chart.destroy();
    };
  }, [times, series, format, highest, daily, width, scheme, language, formats]);

  return (
    <figure className={classes.figure}>
      <figcaption className={classes.legend}>
        {series.map(({ name }, at) => (
          <span key={name} data-line={at}>
            {name}
          </span>
        ))}
        {/* Who does not see the picture reads the table instead. */}
        <span className={classes.pointed} aria-hidden="true">
          {pointed !== null && pointed < times.length && describe(pointed)}
        </span>
      </figcaption>
      <div ref={ref}>
        <div ref={place} className={classes.picture} role="img" aria-label={label} />
      </div>
    </figure>
  );
}

function line(at: number, colour: (name: string) => string): uPlot.Series {
  const look = LOOKS[at % LOOKS.length];
  const stroke = () => colour(look?.colour ?? "--accent");
  return {
    stroke,
    width: 1.8,
    dash: look?.dash ?? [],
    points: { show: true, size: POINT, stroke, fill: stroke },
  };
}
