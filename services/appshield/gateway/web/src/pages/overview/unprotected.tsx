/// Workloads that nothing protects, each one click away from a document that would.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { unprotected } from "@/api/queries";
import type { Unprotected } from "@/api/types";
import { LinkButton } from "@/design/link-button";
import { More, moreOf } from "@/design/more";
import { Panel } from "@/design/page";
import { usePagedList } from "@/design/records";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./unprotected.module.css";

const SHOWN_MAX = 6;

export function UnprotectedPanel() {
  const t = useTranslate();
  const formats = useFormats();
  const query = useInfiniteQuery(unprotected);
  const { records, total = 0 } = usePagedList(query);
  const [all, setAll] = useState(false);
  return (
    <Panel title={t("unprotected.title")} count={query.data ? formats.number(total) : ""} flush>
      <Loaded query={query} lines={3}>
        {() =>
          records.length === 0 ? (
            <Empty title={t("unprotected.none")} icon="verified">
              {t("unprotected.none.why")}
            </Empty>
          ) : (
            <>
              <ul className={classes.list}>
                {records.slice(0, all ? records.length : SHOWN_MAX).map((one) => (
                  <Line key={`${one.namespace}/${one.kind}/${one.name}`} workload={one} />
                ))}
              </ul>
              {all ? (
                <More {...moreOf(query)} />
              ) : (
                <More has={total > SHOWN_MAX} busy={false} load={() => setAll(true)} />
              )}
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Line({ workload }: { workload: Unprotected }) {
  const t = useTranslate();
  const { namespace, kind, name, profile, keeps_data } = workload;
  return (
    <li className={classes.line}>
      <span className={classes.what}>
        <strong>
          {namespace}/{name}
        </strong>
        <span className="quiet">{profile || kind}</span>
        {keeps_data && <Tag tone="warn">{t("unprotected.data")}</Tag>}
      </span>
      <LinkButton
        to="/documents/$kind/new"
        params={{ kind: "Application" }}
        search={{ namespace }}
        variant="light"
        aria-label={t("unprotected.protect-it", { name: `${namespace}/${name}` })}
      >
        {t("unprotected.protect")}
      </LinkButton>
    </li>
  );
}
