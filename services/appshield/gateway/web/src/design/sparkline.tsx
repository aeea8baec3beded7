/// A line as small as a word: how a number has changed, the newest at the right.
import classes from "./sparkline.module.css";

const WIDTH = 96;
const HEIGHT = 24;
const EDGE = 3;

export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const points = pointsOf(values);
  const last = points.at(-1);
  if (!last) return null;
  const line = points.map(([x, y]) => `${x},${y}`).join(" ");
  return (
    <svg
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      role="img"
      aria-label={label}
      className={classes.line}
    >
      {points.length > 1 && <polyline points={line} />}
      <circle cx={last[0]} cy={last[1]} r="2.5" />
    </svg>
  );
}

/// Spread values over the width; what never changes is a line in the middle.
export function pointsOf(values: readonly number[]): [number, number][] {
  const lowest = Math.min(...values);
  const range = Math.max(...values) - lowest;
  const step = values.length > 1 ? (WIDTH - 2 * EDGE) / (values.length - 1) : 0;
  const first = values.length > 1 ? EDGE : WIDTH / 2;
  return values.map((value, at) => [
    round(first + at * step),
    round(
      range === 0 ? HEIGHT / 2 : HEIGHT - EDGE - ((value - lowest) / range) * (HEIGHT - 2 * EDGE),
    ),
  ]);
}

const round = (value: number): number => Math.round(value * 10) / 10;
