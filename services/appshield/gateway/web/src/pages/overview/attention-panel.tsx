/// What needs attention first, each with the next step.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { applications, runs } from "@/api/queries";
import type { ApplicationSummary, RunSummary } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { More } from "@/design/more";
import { Panel } from "@/design/page";
import { Empty } from "@/design/states";
import { HealthStatus, RpoStatus, RunStatus, Tag } from "@/design/status";
import { Moment, useAge } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import { type Concern, concernsOf } from "./attention";
import classes from "./attention.module.css";

const SHOWN_MAX = 8;
const DAY_MS = 86_400_000;

export function Attention() {
  const t = useTranslate();
  const formats = useFormats();
  const { concerns, known } = useConcerns();
  const [all, setAll] = useState(false);
  if (!known) return null;
  return (
    <Panel
      title={t("attention.title")}
      count={concerns.length > 0 ? formats.number(concerns.length) : ""}
      flush
    >
      {concerns.length === 0 ? (
        <Empty title={t("attention.none")} icon="verified">
          {t("attention.none.why")}
        </Empty>
      ) : (
        <>
          <ul className={classes.list}>
            {concerns.slice(0, all ? concerns.length : SHOWN_MAX).map((concern) => (
              <li key={"run" in concern ? concern.run.id : concern.application.app_id}>
                {"run" in concern ? (
                  <RunConcern why={concern.why} run={concern.run} />
                ) : (
                  <ApplicationConcern why={concern.why} application={concern.application} />
                )}
              </li>
            ))}
          </ul>
          <More has={!all && concerns.length > SHOWN_MAX} busy={false} load={() => setAll(true)} />
        </>
      )}
    </Panel>
  );
}

function ApplicationConcern({ why, application }: Extract<Concern, { application: unknown }>) {
  const t = useTranslate();
  const { namespace, name, health } = application;
  return (
    <Link
      to="/applications/$namespace/$name"
      params={{ namespace, name }}
      className={classes.concern}
    >
      <span className={classes.mark}>
        {why === "rpo-broken" && <RpoStatus state="broken" />}
        {why === "rpo-at-risk" && <RpoStatus state="at-risk" />}
        {(why === "missing" || why === "degraded") && health && <HealthStatus health={health} />}
        {(why === "rto-broken" || why === "rto-at-risk") && (
          <Tag tone="warn">{t("attention.slow")}</Tag>
        )}
        {why === "refused" && <Tag tone="bad">{t("attention.refused")}</Tag>}
      </span>
      <span className={classes.what}>
        <strong>
          {namespace}/{name}
        </strong>
        <Why why={why} application={application} />
      </span>
    </Link>
  );
}

function Why({ why, application }: Extract<Concern, { application: unknown }>) {
  const t = useTranslate();
  const formats = useFormats();
  const age = useAge(application.rpo_counted_from);
  if (why === "refused") return <Foreign text={application.refused} />;
  if (why === "missing" || why === "degraded") return <Foreign text={application.reason} />;
  if (why === "rto-broken" || why === "rto-at-risk") {
    const { rto_promised_s, rto_last_s, rto_expected_s } = application;
    const promised = formats.duration(rto_promised_s);
    const last = rto_last_s ?? 0;
    if (last > rto_promised_s) {
      return <span>{t("attention.restore", { promised, took: formats.duration(last) })}</span>;
    }
    const took = formats.duration(rto_expected_s ?? 0);
    return <span>{t("attention.restore.expected", { promised, took })}</span>;
  }
  return (
    <span>
      {t("attention.promise", {
        promised: formats.duration(application.rpo_promised_s),
        age: formats.duration(age),
      })}
    </span>
  );
}

function RunConcern({ run }: { why: string; run: RunSummary }) {
  const t = useTranslate();
  return (
    <Link to="/runs/$run" params={{ run: run.id }} className={classes.concern}>
      <span className={classes.mark}>
        <RunStatus state={run.state} />
      </span>
      <span className={classes.what}>
        <strong>
          {run.namespace}/{run.name}
        </strong>
        <span>
          {t(`kind.${run.kind}`)}
          {run.problem && (
            <>
              : <Foreign text={run.problem} />
            </>
          )}{" "}
          · <Moment at={run.requested_at} />
        </span>
      </span>
    </Link>
  );
}

function useConcerns(): { concerns: Concern[]; known: boolean } {
  const [since] = useState(() => new Date(Date.now() - DAY_MS).toISOString());
  const byHealth = useInfiniteQuery(applications({ sort: "health", state: "active", limit: 20 }));
  const byPromise = useInfiniteQuery(applications({ sort: "rpo", state: "active", limit: 20 }));
  const slow = useInfiniteQuery(applications({ sort: "rto", state: "active", limit: 20 }));
  const awaiting = useInfiniteQuery(runs({ state: "awaiting-approval", limit: 20 }));
  const failed = useInfiniteQuery(runs({ state: "failed", since, limit: 20 }));
  const found = new Map<string, ApplicationSummary>();
  for (const query of [byHealth, byPromise, slow]) {
    for (const page of query.data?.pages ?? []) {
      for (const one of page.items) found.set(one.app_id, one);
    }
  }
  const items = (query: typeof failed) => query.data?.pages.flatMap((page) => page.items) ?? [];
  return {
    concerns: concernsOf({
      applications: [...found.values()],
      awaiting: items(awaiting),
      failed: items(failed),
    }),
    known: byHealth.data !== undefined && byPromise.data !== undefined,
  };
}
