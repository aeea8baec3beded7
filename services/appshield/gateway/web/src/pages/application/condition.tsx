/// How an application is and why, and how its promise about the newest version stands.
import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import { NOWHERE } from "@/api/documents";
import type { ApplicationDetail, ApplicationSummary, HealthFacts, Rpo } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { Meter } from "@/design/meter";
import { Columns, Fact, Facts, Panel } from "@/design/page";
import { HealthStatus, RpoStatus, type Tone } from "@/design/status";
import { Duration, Moment, useAge } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./condition.module.css";

const PROMISE_TONE: Record<Rpo["state"], Tone> = { kept: "good", "at-risk": "warn", broken: "bad" };

export function Condition({ detail }: { detail: ApplicationDetail }) {
  const t = useTranslate();
  return (
    <Columns>
      <Panel title={t("condition.health")}>
        <HealthOf health={detail.health} />
        <Notes detail={detail} />
      </Panel>
      <Panel title={t("condition.promise")}>
        <Promised rpo={detail.rpo} />
        <div className={classes.facts}>
          <Facts>
            <Fact name={t("condition.targets")}>{detail.targets.join(", ")}</Fact>
            <Fact name={t("condition.policies")}>
              {detail.policies.length > 0 && <PolicyLinks policies={detail.policies} />}
            </Fact>
            <Fact name={t("condition.last-restore")}>
              {detail.last_restore && (
                <Link to="/runs/$run" params={{ run: detail.last_restore.run }}>
                  v{detail.last_restore.version} · <Duration seconds={detail.last_restore.took_s} />
                </Link>
              )}
            </Fact>
            <Fact name={t("condition.rto")}>
              {detail.summary.rto && <PromisedTime summary={detail.summary} />}
            </Fact>
            <Fact name={t("condition.histories")}>
              {detail.other_histories.length > 0 && <Histories detail={detail} />}
            </Fact>
          </Facts>
        </div>
      </Panel>
    </Columns>
  );
}

function PromisedTime({ summary }: { summary: ApplicationSummary }) {
  const t = useTranslate();
  if (!summary.rto) return null;
  return (
    <>
      <Duration seconds={summary.rto_promised_s} /> · {t(`rto.${summary.rto}`)}
    </>
  );
}

function PolicyLinks({ policies }: { policies: readonly string[] }) {
  return policies.map((policy, at) => (
    <Fragment key={policy}>
      {at > 0 && ", "}
      <Link
        to="/documents/$kind/$namespace/$name"
        params={{ kind: "Policy", namespace: NOWHERE, name: policy }}
      >
        {policy}
      </Link>
    </Fragment>
  ));
}

/// Versions of what had this name before, or elsewhere: each history has a page of its own.
function Histories({ detail: { summary, other_histories } }: { detail: ApplicationDetail }) {
  const { namespace, name } = summary;
  return other_histories.map((history, at) => (
    <Fragment key={history}>
      {at > 0 && ", "}
      <Link
        to="/applications/$namespace/$name"
        params={{ namespace, name }}
        search={{ history }}
        className="mono"
      >
        {history}
      </Link>
    </Fragment>
  ));
}

function HealthOf({ health }: { health: HealthFacts | null }) {
  const t = useTranslate();
  const formats = useFormats();
  const age = useAge(health?.since);
  if (health === null) return <p className="quiet">{t("condition.unknown")}</p>;
  const reasons = health.reasons ?? [];
  const more = (health.reasons_total ?? 0) - reasons.length;
  return (
    <>
      <p className={classes.line}>
        <HealthStatus health={health.status} plain />
        <span className="quiet">{t("condition.since", { age: formats.duration(age) })}</span>
      </p>
      {health.deliberate && (
        <p className="quiet">
          <Foreign text={health.deliberate} />
        </p>
      )}
      {reasons.length > 0 && (
        <ul className={classes.reasons}>
          {reasons.map((reason) => (
            <li key={`${reason.object} ${reason.why}`}>
              {reason.object && <code className="mono">{reason.object}</code>}
              <Foreign text={reason.why} />
            </li>
          ))}
          {more > 0 && <li className="quiet">{t("condition.more", { count: more })}</li>}
        </ul>
      )}
      {reasons.length === 0 && health.status === "Healthy" && (
        <p className="quiet">{t("condition.well")}</p>
      )}
    </>
  );
}

function Promised({ rpo }: { rpo: Rpo | null }) {
  const t = useTranslate();
  const formats = useFormats();
  const age = useAge(rpo?.counted_from);
  if (rpo === null) return <p className="quiet">{t("condition.no-promise")}</p>;
  const text = t("condition.age", {
    age: formats.duration(age),
    promised: formats.duration(rpo.promised_s),
  });
  return (
    <div className={classes.promise}>
      <p className={classes.line}>
        <RpoStatus state={rpo.state} plain />
        <span className="quiet">{text}</span>
      </p>
      <Meter label={text} share={age / rpo.promised_s} tone={PROMISE_TONE[rpo.state]} />
    </div>
  );
}

/// What else a person has to know: a pause, a document that is refused, rules in conflict.
function Notes({ detail }: { detail: ApplicationDetail }) {
  const t = useTranslate();
  const { paused, summary, findings, undecided } = detail;
  const notes = [
    ...findings,
    ...Object.entries(undecided).map(([policy, why]) => `${policy}: ${why}`),
  ];
  if (notes.length === 0 && !summary.refused && !paused) return null;
  return (
    <ul className={classes.notes}>
      {paused && (
        <li>
          {t("condition.paused", { actor: paused.actor ?? "" })} <Moment at={paused.at} />
          {paused.reason ? `: ${paused.reason}` : ""}
        </li>
      )}
      {summary.refused && (
        <li>
          {t("condition.refused")}: <Foreign text={summary.refused} />
        </li>
      )}
      {notes.map((note) => (
        <li key={note}>
          <Foreign text={note} />
        </li>
      ))}
    </ul>
  );
}
