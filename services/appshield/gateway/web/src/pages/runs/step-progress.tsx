/// How far a step has come: its bar, how fast it is, and when it will be done.
import { useState } from "react";
import type { StepProgress } from "@/api/types";
import { Meter } from "@/design/meter";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./run.module.css";
import { remembered, type Sample, speedOf } from "./speed";

export function ProgressOfStep({ progress }: { progress: StepProgress }) {
  const t = useTranslate();
  const formats = useFormats();
  const [seen, setSeen] = useState(progress.at);
  const [samples, setSamples] = useState<Sample[]>(() => [sampleOf(progress)]);
  if (seen !== progress.at) {
    setSeen(progress.at);
    setSamples(remembered(samples, sampleOf(progress)));
  }
  const { share, rate, left_s } = speedOf(samples, progress);
  const done = formats.size(progress.bytes_done);
  const total = progress.bytes_total ? formats.size(progress.bytes_total) : "";
  return (
    <div className={classes.progress}>
      <Meter label={t("progress.of", { step: progress.step })} share={share} />
      <p className={classes.numbers}>
        <span>{total ? t("progress.bytes", { done, total }) : done}</span>
        {rate !== undefined && rate > 0 && <span>{formats.rate(rate)}</span>}
        {left_s !== undefined && left_s > 0 && (
          <span>{t("progress.left", { left: formats.duration(left_s) })}</span>
        )}
      </p>
    </div>
  );
}

const sampleOf = (progress: StepProgress): Sample => ({
  at_ms: Date.parse(progress.at),
  bytes: progress.bytes_done,
});
