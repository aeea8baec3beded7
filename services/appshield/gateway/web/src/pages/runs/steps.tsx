/// The steps of a run in their order: each with who does it, how far it is, and why it failed.
import { useQuery } from "@tanstack/react-query";
import { progress as progressQuery } from "@/api/queries";
import type { RunDetail, RunStep, StepProgress } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { Empty } from "@/design/states";
import { StepStatus } from "@/design/status";
import { Elapsed } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import classes from "./run.module.css";
import { ProgressOfStep } from "./step-progress";
import { StepWords } from "./step-words";

export function Steps({ detail }: { detail: RunDetail }) {
  const t = useTranslate();
  const { id, state } = detail.summary;
  const running = state === "running" || state === "ending";
  const { data } = useQuery({ ...progressQuery(id), enabled: running });
  if (detail.steps.length === 0) return <Empty title={t("steps.none")} icon="runs" />;
  const known = new Map(data?.steps.map((step) => [step.step, step]));
  return (
    <ol className={classes.steps}>
      {detail.steps.map((step) => (
        <Step
          key={step.name}
          step={step}
          progress={step.state === "running" ? known.get(step.name) : undefined}
        />
      ))}
    </ol>
  );
}

function Step({ step, progress }: { step: RunStep; progress: StepProgress | undefined }) {
  const t = useTranslate();
  const { name, state, attempt, node, worker, started_at, finished_at, failure } = step;
  return (
    <li className={classes.step} data-state={state}>
      <div className={classes.head}>
        <StepStatus state={state} plain />
        <span className={classes.name} title={name}>
          <StepWords name={name} />
        </span>
        {attempt > 1 && <span className="quiet">{t("steps.attempt", { attempt })}</span>}
        <span className={classes.when}>
          <span className="quiet">{[worker, node].filter(Boolean).join(" · ")}</span>
          <Elapsed since={started_at} until={finished_at} />
        </span>
      </div>
      {progress && <ProgressOfStep progress={progress} />}
      {failure && (
        <p className={classes.failure}>
          <Foreign text={failure.why ? `${failure.what}: ${failure.why}` : failure.what} />
        </p>
      )}
    </li>
  );
}
