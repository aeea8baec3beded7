/// How far a whole run has come, in one bar.
import { useQuery } from "@tanstack/react-query";
import { progress } from "@/api/queries";
import { Meter } from "@/design/meter";
import { useTranslate } from "@/i18n/language";

export function RunMeter({ run }: { run: string }) {
  const t = useTranslate();
  const { data } = useQuery(progress(run));
  const steps = data?.steps ?? [];
  const total = steps.reduce((sum, step) => sum + (step.bytes_total ?? 0), 0);
  const done = steps.reduce((sum, step) => sum + step.bytes_done, 0);
  return <Meter label={t("progress.run")} share={total > 0 ? done / total : undefined} />;
}
