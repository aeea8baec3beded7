/// All applications: filtered, sorted, live.
import { Button, Select, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { applications, trend } from "@/api/queries";
import type { ApplicationSummary, Health, RpoState } from "@/api/types";
import { Icon } from "@/design/icons";
import { Panel, Row } from "@/design/page";
import { useSeen } from "@/design/seen";
import { Sparkline } from "@/design/sparkline";
import { Empty, Loaded } from "@/design/states";
import { HealthStatus, RpoStatus, Tag } from "@/design/status";
import { type Column, moreOf, Table } from "@/design/table";
import { Moment } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./applications.module.css";

const WAIT_MS = 250;
const HEALTHS: readonly Health[] = ["Missing", "Degraded", "Unknown", "Progressing", "Healthy"];
const PROMISES: readonly RpoState[] = ["broken", "at-risk", "kept"];

export function Applications() {
  const t = useTranslate();
  const formats = useFormats();
  const search = useSearch({ from: "/inside/" });
  const navigate = useNavigate({ from: "/" });
  const sort = search.sort ?? "health";
  const query = useInfiniteQuery({
    ...applications({ ...search, sort }),
    placeholderData: keepPreviousData,
  });
  const filtered = Boolean(search.q || search.health || search.rpo || search.criticality);
  const change = (changed: Partial<typeof search>) =>
    void navigate({ search: { ...search, ...changed }, replace: true, resetScroll: false });

  return (
    <div id="applications" className={classes.anchor}>
      <Panel
        title={t("applications.title")}
        count={query.data ? formats.number(query.data.pages[0]?.total ?? 0) : ""}
        actions={<Filters search={search} change={change} />}
        flush
      >
        <Loaded query={query} lines={8}>
          {(data) => {
            const items = data.pages.flatMap((page) => page.items);
            if (items.length === 0)
              return (
                <NoApplication filtered={filtered} clear={() => void navigate({ search: {} })} />
              );
            return (
              <Table
                caption={t("applications.title")}
                columns={columnsIn(t)}
                records={items}
                id={(one) => one.app_id}
                sort={sort}
                onSort={(next) => change({ sort: next })}
                more={moreOf(query)}
              />
            );
          }}
        </Loaded>
      </Panel>
    </div>
  );
}

function columnsIn(t: ReturnType<typeof useTranslate>): Column<ApplicationSummary>[] {
  return [
    {
      name: "name",
      title: t("applications.name"),
      sorts: true,
      cell: (one) => <Name application={one} />,
    },
    {
      name: "criticality",
      title: t("applications.type"),
      sorts: true,
      cell: ({ type, criticality }) => (
        <Row>
          <span>{type}</span>
          {criticality && <Tag>{criticality}</Tag>}
        </Row>
      ),
    },
    {
      name: "health",
      title: t("applications.health"),
      sorts: true,
      cell: (one) =>
        one.state === "orphaned" ? (
          <Tag>{t("applications.orphaned")}</Tag>
        ) : (
          <HealthStatus health={one.health || "Unknown"} plain />
        ),
    },
    {
      name: "rpo",
      title: t("applications.rpo"),
      sorts: true,
      cell: (one) => <RpoStatus state={one.rpo || "none"} plain />,
    },
    {
      name: "last_backup_at",
      title: t("applications.last-version"),
      sorts: true,
      cell: (one) => <LastVersion application={one} />,
    },
    { name: "trend", title: t("applications.trend"), cell: (one) => <Trend application={one} /> },
  ];
}

function Name({ application }: { application: ApplicationSummary }) {
  const t = useTranslate();
  const { namespace, name, paused, active_run } = application;
  return (
    <div className={classes.name}>
      <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
        <span className="quiet">{namespace}/</span>
        <strong>{name}</strong>
      </Link>
      <Row>
        {paused && <Tag tone="warn">{t("applications.paused")}</Tag>}
        {active_run && <Tag tone="active">{t("applications.running")}</Tag>}
      </Row>
    </div>
  );
}

function LastVersion({ application }: { application: ApplicationSummary }) {
  const t = useTranslate();
  if (!application.last_version)
    return <span className="quiet">{t("applications.no-version")}</span>;
  return (
    <span>
      <span className="numbers">v{application.last_version}</span> <span className="quiet">·</span>{" "}
      <Moment at={application.last_backup_at} />
    </span>
  );
}

function Trend({ application }: { application: ApplicationSummary }) {
  const t = useTranslate();
  const formats = useFormats();
  const [ref, seen] = useSeen<HTMLSpanElement>();
  const { data } = useQuery({
    ...trend(application.namespace, application.name),
    enabled: seen && application.last_version > 0,
  });
  const sizes = data?.items.map((version) => version.read_bytes).reverse() ?? [];
  return (
    <span ref={ref} className={classes.trend}>
      {sizes.length > 0 && (
        <>
          <Sparkline
            values={sizes}
            label={t("applications.trend.of", {
              count: sizes.length,
              first: formats.size(sizes[0] ?? 0),
              last: formats.size(sizes.at(-1) ?? 0),
            })}
          />
          <span className="numbers quiet">{formats.size(sizes.at(-1) ?? 0)}</span>
        </>
      )}
    </span>
  );
}

interface FilterProps {
  search: { q?: string; health?: string; rpo?: string };
  change: (changed: Record<string, string | undefined>) => void;
}

function Filters({ search, change }: FilterProps) {
  const t = useTranslate();
  const find = useDebouncedCallback((q: string) => change({ q: q || undefined }), WAIT_MS);
  return (
    <>
      <TextInput
        aria-label={t("applications.find")}
        placeholder={t("applications.find")}
        leftSection={<Icon name="search" size={14} />}
        defaultValue={search.q ?? ""}
        onChange={(event) => find(event.currentTarget.value)}
        w={180}
      />
      <Select
        aria-label={t("applications.health")}
        placeholder={t("applications.any-health")}
        data={HEALTHS.map((value) => ({ value, label: t(`health.${value}`) }))}
        value={search.health ?? null}
        onChange={(health) => change({ health: health ?? undefined })}
        clearable
        w={150}
      />
      <Select
        aria-label={t("applications.rpo")}
        placeholder={t("applications.any-rpo")}
        data={PROMISES.map((value) => ({ value, label: t(`rpo.${value}`) }))}
        value={search.rpo ?? null}
        onChange={(rpo) => change({ rpo: rpo ?? undefined })}
        clearable
        w={150}
      />
    </>
  );
}

function NoApplication({ filtered, clear }: { filtered: boolean; clear: () => void }) {
  const t = useTranslate();
  if (!filtered) {
    return <Empty title={t("applications.none")}>{t("applications.none.next")}</Empty>;
  }
  return (
    <Empty
      title={t("applications.none-such")}
      icon="search"
      action={
        <Button variant="default" onClick={clear}>
          {t("applications.all")}
        </Button>
      }
    />
  );
}
