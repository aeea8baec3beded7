/// All applications: filtered, sorted, live.
import { Button, SegmentedControl, Select } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { trend } from "@/api/queries";
import type { ApplicationSummary, Health, RpoState } from "@/api/types";
import { Icon } from "@/design/icons";
import { Row } from "@/design/page";
import { NoneSuch, Records, usePagedList } from "@/design/records";
import { SearchField } from "@/design/search-field";
import { useSeen } from "@/design/seen";
import { Sparkline } from "@/design/sparkline";
import { Empty } from "@/design/states";
import { HealthStatus, RpoStatus, Tag } from "@/design/status";
import type { Column } from "@/design/table";
import { Moment } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";
import classes from "./applications.module.css";
import { applicationsOf, type OverviewSearch } from "./asked";

const HEALTHS: readonly Health[] = ["Missing", "Degraded", "Unknown", "Progressing", "Healthy"];
const PROMISES: readonly RpoState[] = ["broken", "at-risk", "kept"];

/// Orphaned histories are shown to those who look for them: there may be many of each name.
const STATES = ["active", "orphaned", "all"] as const;

export function Applications() {
  const t = useTranslate();
  const search: OverviewSearch = useSearch({ from: "/inside/" });
  const navigate = useNavigate({ from: "/" });
  const { sort = "health", state = "active", ...wanted } = search;
  const list = usePagedList(
    useInfiniteQuery({
      ...applicationsOf(search),
      placeholderData: keepPreviousData,
    }),
  );
  const show = (next: OverviewSearch) =>
    void navigate({ search: given(next), replace: true, resetScroll: false });
  const change = (changed: OverviewSearch) => show({ ...search, ...changed });

  return (
    <div id="applications" className={classes.anchor}>
      <Records
        title={t("applications.title")}
        list={list}
        columns={columnsIn(t)}
        id={(one) => one.app_id}
        lines={8}
        filters={<Filters search={search} state={state} change={change} />}
        sort={sort}
        onSort={(next) => change({ sort: next })}
        none={
          Object.values(wanted).some(Boolean) || state !== "active" ? (
            <NoneSuch showAll={() => show({})} />
          ) : (
            <Empty title={t("applications.none")}>{t("applications.none.next")}</Empty>
          )
        }
      />
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
  const { app_id, namespace, name, state, paused, active_run } = application;
  const history = state === "orphaned" ? app_id : undefined;
  return (
    <div className={classes.name}>
      <Link
        to="/applications/$namespace/$name"
        params={{ namespace, name }}
        search={given({ history })}
      >
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
    ...trend(application.namespace, application.name, application.app_id),
    enabled: seen && application.last_version > 0,
  });
  const sizes = data?.items.map((version) => version.read_bytes).reverse() ?? [];
  return (
    <span ref={ref} className={classes.trend}>
      {sizes.length > 1 && (
        <Sparkline
          values={sizes}
          label={t("applications.trend.of", {
            count: sizes.length,
            first: formats.size(sizes[0] ?? 0),
            last: formats.size(sizes.at(-1) ?? 0),
          })}
        />
      )}
      {sizes.length > 0 && <span className="numbers quiet">{formats.size(sizes.at(-1) ?? 0)}</span>}
    </span>
  );
}

interface FilterProps {
  search: OverviewSearch;
  state: string;
  change: (changed: OverviewSearch) => void;
}

function Filters({ search, state, change }: FilterProps) {
  const t = useTranslate();
  return (
    <>
      <SegmentedControl
        size="xs"
        aria-label={t("applications.which")}
        value={state}
        onChange={(next) => change({ state: next === "active" ? undefined : next })}
        data={STATES.map((value) => ({ value, label: t(`applications.${value}`) }))}
      />
      {search.criticality && (
        <Button
          variant="light"
          rightSection={<Icon name="close" size={12} />}
          aria-label={t("applications.any-criticality", { criticality: search.criticality })}
          onClick={() => change({ criticality: undefined })}
        >
          {search.criticality}
        </Button>
      )}
      <SearchField
        label={t("applications.find")}
        value={search.q ?? ""}
        find={(q) => change({ q })}
        width={190}
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
