/// For those who answer for security: who did what, on what, from where, with which outcome.
import { Select } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import {
  type AuditEntry,
  type AuditOutcome,
  audit,
  auditExport,
  auditVerification,
  DOORS,
  OUTCOMES,
} from "@/api/audit";
import { useRefusal } from "@/api/permissions";
import { DownloadLink } from "@/design/download-link";
import { Note } from "@/design/note";
import { Page } from "@/design/page";
import { Prose } from "@/design/prose";
import { NoneSuch, Records, usePagedList } from "@/design/records";
import { SearchField } from "@/design/search-field";
import { Empty } from "@/design/states";
import { Tag, type Tone } from "@/design/status";
import type { Column } from "@/design/table";
import { Day } from "@/design/values";
import { visible } from "@/design/visible";
import { useTranslate } from "@/i18n/language";
import { PERIODS, sinceOf } from "@/pages/reports/periods";
import { given } from "@/shell/addresses";

const TONES: Readonly<Record<AuditOutcome, Tone>> = {
  begun: "active",
  admitted: "active",
  allowed: "good",
  denied: "bad",
  refused: "warn",
  succeeded: "good",
  failed: "bad",
  cancelled: "idle",
};

export function AuditPage() {
  const t = useTranslate();
  const search = useSearch({ from: "/inside/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const refusal = useRefusal("")("see-audit");
  const { days, ...wanted } = search;
  const period = PERIODS.find((one) => String(one) === days);
  // The same moment for as long as nothing else is chosen, so that the same question is asked.
  const since = useMemo(() => period && sinceOf(period, new Date()), [period]);
  const list = usePagedList(
    useInfiniteQuery({ ...audit({ ...wanted, since }), placeholderData: keepPreviousData }),
  );
  const change = (changed: AuditSearch) =>
    void navigate({ search: given({ ...search, ...changed }), replace: true, resetScroll: false });
  return (
    <Page
      title={t("audit.title")}
      about={t("audit.about")}
      actions={
        <DownloadLink href={auditExport({})} refusal={refusal}>
          {t("audit.export")}
        </DownloadLink>
      }
    >
      <Chain />
      <Records
        title={t("audit.entries")}
        list={list}
        columns={columnsIn(t)}
        id={({ chain, sequence }) => `${chain} ${sequence}`}
        lines={8}
        filters={<Filters search={search} change={change} />}
        none={
          Object.keys(search).length > 0 ? (
            <NoneSuch showAll={() => void navigate({ search: {} })} />
          ) : (
            <Empty title={t("audit.none")} icon="audit">
              {t("audit.none.next")}
            </Empty>
          )
        }
      />
    </Page>
  );
}

/// Whether nobody has changed or removed an entry.
function Chain() {
  const t = useTranslate();
  const { data } = useQuery(auditVerification);
  if (!data) return null;
  if (!data.whole) {
    return (
      <Note tone="bad" icon="close" title={t("audit.broken", { count: data.findings_total })}>
        {data.findings.map(({ chain, what, first }) => (
          <p key={`${chain} ${first} ${what}`}>{what}</p>
        ))}
        <p>
          <Prose text={t("audit.broken.next")} />
        </p>
      </Note>
    );
  }
  // Nothing is whole that is not there yet.
  if (data.last === 0) return null;
  const count = data.last - data.first + 1;
  return (
    <Note tone="good" icon="verified" title={t("audit.whole", { count })}>
      {data.archived_to > 0 && <p>{t("audit.archived", { sequence: data.archived_to })}</p>}
      {data.vaults_unread.length > 0 && (
        <p>{t("audit.unread", { vaults: data.vaults_unread.join(", ") })}</p>
      )}
    </Note>
  );
}

interface AuditSearch {
  actor?: string | undefined;
  namespace?: string | undefined;
  action?: string | undefined;
  outcome?: string | undefined;
  door?: string | undefined;
  days?: string | undefined;
}

interface FiltersProps {
  search: AuditSearch;
  change: (changed: AuditSearch) => void;
}

function Filters({ search, change }: FiltersProps) {
  const t = useTranslate();
  return (
    <>
      <SearchField
        label={t("audit.actor")}
        value={search.actor ?? ""}
        find={(actor) => change({ actor })}
        width={160}
        whole
      />
      <SearchField
        label={t("audit.namespace")}
        value={search.namespace ?? ""}
        find={(namespace) => change({ namespace })}
        width={190}
        whole
      />
      <SearchField
        label={t("audit.action")}
        value={search.action ?? ""}
        find={(action) => change({ action })}
        width={130}
        whole
      />
      <Select
        aria-label={t("audit.outcome")}
        placeholder={t("audit.any-outcome")}
        data={OUTCOMES.map((value) => ({ value, label: t(`audit.outcome.${value}`) }))}
        value={search.outcome ?? null}
        onChange={(outcome) => change({ outcome: outcome ?? undefined })}
        clearable
        w={150}
      />
      <Select
        aria-label={t("audit.door")}
        placeholder={t("audit.any-door")}
        data={DOORS.map((value) => ({ value, label: t(`audit.door.${value}`) }))}
        value={search.door ?? null}
        onChange={(door) => change({ door: door ?? undefined })}
        clearable
        w={150}
      />
      <Select
        aria-label={t("reports.period")}
        placeholder={t("audit.any-time")}
        data={PERIODS.map((days) => ({
          value: String(days),
          label: t("reports.days", { count: days }),
        }))}
        value={search.days ?? null}
        onChange={(days) => change({ days: days ?? undefined })}
        clearable
        w={130}
      />
    </>
  );
}

function columnsIn(t: ReturnType<typeof useTranslate>): Column<AuditEntry>[] {
  return [
    {
      name: "what",
      title: t("audit.action"),
      cell: ({ event }) => <strong>{event.action}</strong>,
    },
    { name: "when", title: t("events.when"), cell: ({ event }) => <Day at={event.at} /> },
    {
      name: "who",
      title: t("audit.actor"),
      cell: ({ event }) => (
        <>
          {event.actor || event.cause || "–"}
          {event.address && <span className="quiet"> · {event.address}</span>}
        </>
      ),
    },
    { name: "object", title: t("audit.object"), cell: (entry) => <About entry={entry} /> },
    { name: "door", title: t("audit.door"), cell: ({ event }) => t(`audit.door.${event.door}`) },
    {
      name: "outcome",
      title: t("audit.outcome"),
      cell: ({ event }) => (
        <Tag tone={TONES[event.outcome]}>{t(`audit.outcome.${event.outcome}`)}</Tag>
      ),
    },
    {
      name: "sequence",
      title: t("audit.sequence"),
      numeric: true,
      cell: ({ sequence }) => <span className="numbers">{sequence}</span>,
    },
  ];
}

function About({ entry: { event } }: { entry: AuditEntry }) {
  const t = useTranslate();
  const { app, versions = [], paths = [], target, vault, object, run, reason } = event;
  const { namespace, name } = app;
  const details = [
    ...versions.map((number) => `v${number}`),
    ...paths.map(visible),
    target && `→ ${target}`,
    vault,
    object,
    reason,
  ].filter(Boolean);
  return (
    <>
      {namespace && name && (
        <div>
          <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
            {namespace}/{name}
          </Link>
        </div>
      )}
      {details.length > 0 && <div className="quiet">{details.join(" · ")}</div>}
      {run && (
        <div>
          <Link to="/runs/$run" params={{ run }}>
            {t("runs.run")}
          </Link>
        </div>
      )}
    </>
  );
}
