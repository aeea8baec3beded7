/// What a person has to know about a run at once: why it failed, for what it waits, what came of it.
import { Link } from "@tanstack/react-router";
import type { RunDetail } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { Note } from "@/design/note";
import { Duration, Moment } from "@/design/values";
import { useTranslate } from "@/i18n/language";

export function Outcome({ detail }: { detail: RunDetail }) {
  const t = useTranslate();
  const { summary, failure, wait, folded_into, restore } = detail;
  if (failure) {
    return (
      <Note
        tone="bad"
        icon="close"
        title={t("outcome.failed", { what: t(`kind.${summary.kind}`) })}
      >
        <p>
          <Foreign text={failure.why ? `${failure.what}: ${failure.why}` : failure.what} />
        </p>
        {failure.next_step && (
          <p>
            <strong>{t("outcome.next")}</strong> <Foreign text={failure.next_step} />
          </p>
        )}
      </Note>
    );
  }
  if (summary.state === "awaiting-approval") {
    return (
      <Note tone="warn" icon="person" title={t("outcome.approval")}>
        {restore && (
          <p>
            {t("outcome.approval.what", {
              version: restore.version,
              namespace: restore.target_namespace,
            })}
          </p>
        )}
      </Note>
    );
  }
  if (wait) {
    return (
      <Note
        tone="active"
        icon="pause"
        title={t("outcome.waits", { why: t(`wait.${wait.reason}`) })}
      >
        <p className="quiet">
          <Foreign text={wait.why} />
        </p>
        {wait.until && (
          <p>
            {t("outcome.until")} <Moment at={wait.until} />
          </p>
        )}
      </Note>
    );
  }
  if (folded_into) {
    return (
      <Note tone="idle" icon="right" title={t("outcome.folded")}>
        <Link to="/runs/$run" params={{ run: folded_into }} className="mono">
          {folded_into}
        </Link>
      </Note>
    );
  }
  if (summary.state === "succeeded" && restore && summary.started_at && summary.finished_at) {
    const took_s = (Date.parse(summary.finished_at) - Date.parse(summary.started_at)) / 1_000;
    return (
      <Note
        tone="good"
        icon="verified"
        title={t("outcome.restored", {
          version: restore.version,
          namespace: restore.target_namespace,
        })}
      >
        <p>
          {t("outcome.rto")} <Duration seconds={took_s} />
        </p>
        {restore.problems?.map((problem) => (
          <p key={problem}>
            <Foreign text={problem} />
          </p>
        ))}
      </Note>
    );
  }
  return null;
}
