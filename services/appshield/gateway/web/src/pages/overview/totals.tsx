/// How many applications are how; each number shows just these.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { counts } from "@/api/queries";
import type { Health, RpoState } from "@/api/types";
import { HealthStatus, RpoStatus } from "@/design/status";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./totals.module.css";

const HEALTHS: readonly Health[] = ["Missing", "Degraded", "Unknown", "Progressing", "Healthy"];
const PROMISES: readonly RpoState[] = ["broken", "at-risk", "kept"];

export function Totals() {
  const t = useTranslate();
  const formats = useFormats();
  const { data } = useQuery(counts);
  return (
    <div className={classes.totals}>
      <section aria-label={t("overview.health")} className={classes.group}>
        <h2>{t("overview.health")}</h2>
        <div className={classes.numbers}>
          {HEALTHS.map((health) => (
            <Link
              key={health}
              to="/"
              search={{ health }}
              hash="applications"
              className={classes.number}
              data-none={!data?.health[health] || undefined}
            >
              <strong>{data ? formats.number(data.health[health] ?? 0) : "–"}</strong>
              <HealthStatus health={health} plain />
            </Link>
          ))}
        </div>
      </section>
      <section aria-label={t("overview.promise")} className={classes.group}>
        <h2>{t("overview.promise")}</h2>
        <div className={classes.numbers}>
          {PROMISES.map((rpo) => (
            <Link
              key={rpo}
              to="/"
              search={{ rpo }}
              hash="applications"
              className={classes.number}
              data-none={!data?.rpo[rpo] || undefined}
            >
              <strong>{data ? formats.number(data.rpo[rpo] ?? 0) : "–"}</strong>
              <RpoStatus state={rpo} plain />
            </Link>
          ))}
        </div>
      </section>
    </div>
  );
}
