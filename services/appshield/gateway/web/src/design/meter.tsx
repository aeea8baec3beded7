/// How far something has come, as a bar with its words; without an end it moves to and fro.

import classes from "./meter.module.css";
import type { Tone } from "./status";

interface MeterProps {
  label: string;
  /// From 0 to 1; nothing where the end is not known.
  share?: number | undefined;
  tone?: Tone;
}

export function Meter({ label, share, tone = "active" }: MeterProps) {
  const percent =
    share === undefined ? undefined : Math.round(Math.min(1, Math.max(0, share)) * 100);
  return (
    <div
      className={classes.track}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      data-tone={tone}
    >
      <div
        className={percent === undefined ? classes.unknown : classes.bar}
        style={percent === undefined ? undefined : { width: `${percent}%` }}
      />
    </div>
  );
}
