/// What is being done with an application at the moment, and what waits.
import { Link } from "@tanstack/react-router";
import type { ApplicationDetail, RunSummary } from "@/api/types";
import { RunStatus } from "@/design/status";
import { Elapsed } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import { RunMeter } from "@/pages/runs/run-meter";
import classes from "./underway.module.css";

export function Underway({ detail }: { detail: ApplicationDetail }) {
  const runs = [...(detail.active_run ? [detail.active_run] : []), ...detail.pending_runs];
  if (runs.length === 0) return null;
  return (
    <ul className={classes.list}>
      {runs.map((run) => (
        <li key={run.id}>
          <Line run={run} />
        </li>
      ))}
    </ul>
  );
}

function Line({ run }: { run: RunSummary }) {
  const t = useTranslate();
  return (
    <Link to="/runs/$run" params={{ run: run.id }} className={classes.run}>
      <RunStatus state={run.state} />
      <strong>{t(`kind.${run.kind}`)}</strong>
      <span className="quiet">{run.wait_reason && t(`wait.${run.wait_reason}`)}</span>
      {run.state === "running" && (
        <span className={classes.meter}>
          <RunMeter run={run.id} />
        </span>
      )}
      <Elapsed since={run.started_at ?? run.requested_at} />
    </Link>
  );
}
