/// For those who answer for security: who did what, on what, from where, with which outcome.
import { Button, Select, TextInput } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
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
import { Page, Panel } from "@/design/page";
import { Prose } from "@/design/prose";
import { Empty, Loaded } from "@/design/states";
import { Tag, type Tone } from "@/design/status";
import { type Column, moreOf, Table } from "@/design/table";
import { Day } from "@/design/values";
import { visible } from "@/design/visible";
import { useTranslate } from "@/i18n/language";

const TONES: Readonly<Record<AuditOutcome, Tone>> = {
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
  const query = useInfiniteQuery({ ...audit(search), placeholderData: keepPreviousData });
  const filtered = Object.keys(search).length > 0;
  const change = (changed: Record<string, string | undefined>) => {
    const next = Object.entries({ ...search, ...changed }).filter(([, value]) => value);
    void navigate({ search: Object.fromEntries(next), replace: true, resetScroll: false });
  };
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
      <Panel title={t("audit.entries")} actions={<Filters search={search} change={change} />} flush>
        <Loaded query={query} lines={8}>
          {(data) => {
            const items = data.pages.flatMap((page) => page.items);
            if (items.length === 0) {
              return (
                <Empty
                  title={filtered ? t("audit.none-such") : t("audit.none")}
                  icon="audit"
                  action={
                    filtered && (
                      <Button variant="default" onClick={() => void navigate({ search: {} })}>
                        {t("audit.all")}
                      </Button>
                    )
                  }
                />
              );
            }
            return (
              <Table
                caption={t("audit.entries")}
                columns={columnsIn(t)}
                records={items}
                id={({ chain, sequence }) => `${chain} ${sequence}`}
                more={moreOf(query)}
              />
            );
          }}
        </Loaded>
      </Panel>
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
  const count = data.last ? data.last - data.first + 1 : 0;
  return (
    <Note tone="good" icon="verified" title={t("audit.whole", { count })}>
      {data.archived_to > 0 && <p>{t("audit.archived", { sequence: data.archived_to })}</p>}
      {data.vaults_unread.length > 0 && (
        <p>{t("audit.unread", { vaults: data.vaults_unread.join(", ") })}</p>
      )}
    </Note>
  );
}

interface FiltersProps {
  search: { actor?: string; namespace?: string; outcome?: string; door?: string };
  change: (changed: Record<string, string | undefined>) => void;
}

function Filters({ search, change }: FiltersProps) {
  const t = useTranslate();
  const [actor, setActor] = useState(search.actor ?? "");
  const [namespace, setNamespace] = useState(search.namespace ?? "");
  function submit(event: FormEvent) {
    event.preventDefault();
    change({ actor: actor || undefined, namespace: namespace || undefined });
  }
  return (
    <form onSubmit={submit} className="filters">
      <TextInput
        aria-label={t("audit.actor")}
        placeholder={t("audit.actor")}
        value={actor}
        onChange={(event) => setActor(event.currentTarget.value)}
        w={150}
      />
      <TextInput
        aria-label={t("audit.namespace")}
        placeholder={t("audit.namespace")}
        value={namespace}
        onChange={(event) => setNamespace(event.currentTarget.value)}
        w={150}
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
      <Button type="submit" variant="default">
        {t("audit.find")}
      </Button>
    </form>
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
        <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
          {namespace}/{name}
        </Link>
      )}
      {details.length > 0 && <span className="quiet"> {details.join(" · ")}</span>}
      {run && (
        <>
          {" "}
          <Link to="/runs/$run" params={{ run }}>
            {t("runs.run")}
          </Link>
        </>
      )}
    </>
  );
}
