/// For those who answer for products: which promises about recovery were kept.
import { Button, SegmentedControl } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { type ObjectiveRow, type Objectives, objectives, objectivesCsv } from "@/api/reports";
import { DownloadLink } from "@/design/download-link";
import { Fact, Facts, Page, Panel } from "@/design/page";
import { Prose } from "@/design/prose";
import { Records, wholeList } from "@/design/records";
import { Empty } from "@/design/states";
import type { Column } from "@/design/table";
import { LINES_MAX, TimeChart } from "@/design/time-chart";
import { Duration } from "@/design/values";
import type { Formats } from "@/i18n/formats";
import { useFormats, useTranslate } from "@/i18n/language";
import {
  curvesOf,
  inOrder,
  LONGEST_RESTORE,
  type Measure,
  RPO_KEPT,
  summaryOf,
  toneOf,
  written,
} from "./kept";
import { PERIODS, sinceOf } from "./periods";
import classes from "./reports.module.css";

const GROUPS = ["criticality", "application"] as const;
type Group = (typeof GROUPS)[number];
const FROM = "/inside/reports";

export function ReportsPage() {
  const t = useTranslate();
  const search = useSearch({ from: FROM });
  const navigate = useNavigate({ from: "/reports" });
  const formats = useFormats();
  const by: Group = GROUPS.find((one) => one === search.by) ?? "criticality";
  const period = PERIODS.find((one) => String(one) === search.days) ?? 30;
  // The same moment for as long as the page is open, so that the same question is asked.
  const from = useMemo(() => sinceOf(period, new Date()), [period]);
  const query = useQuery({ ...objectives({ by, from }), placeholderData: keepPreviousData });
  const change = (changed: { by?: string; days?: string }) =>
    void navigate({ search: { ...search, ...changed }, replace: true, resetScroll: false });
  return (
    <Page
      title={t("reports.title")}
      about={t("reports.about")}
      actions={
        <>
          <DownloadLink href={objectivesCsv({ by, from })}>{t("reports.csv")}</DownloadLink>
          <Button variant="default" onClick={() => window.print()}>
            {t("reports.print")}
          </Button>
        </>
      }
    >
      {query.data && <Span data={query.data} />}
      {query.data && query.data.items.length > 0 && <AtAGlance rows={query.data.items} by={by} />}
      <Records
        title={t("reports.objectives")}
        list={wholeList(query, ({ items }) => inOrder(items))}
        columns={columnsIn(t, formats, by)}
        id={({ name }) => name}
        filters={
          <>
            <SegmentedControl
              size="xs"
              aria-label={t("reports.period")}
              value={String(period)}
              onChange={(days) => change({ days })}
              data={PERIODS.map((days) => ({
                value: String(days),
                label: t("reports.days", { count: days }),
              }))}
            />
            <SegmentedControl
              size="xs"
              aria-label={t("reports.by")}
              value={by}
              onChange={(value) => change({ by: value })}
              data={GROUPS.map((value) => ({ value, label: t(`reports.by.${value}`) }))}
            />
          </>
        }
        none={
          <Empty title={t("reports.none")} icon="reports">
            <Prose text={t("reports.none.next")} />
          </Empty>
        }
      />
      {query.data && query.data.days.length > 1 && <OverTime days={query.data.days} />}
    </Page>
  );
}

/// Of which time the report is: on paper nobody sees the buttons that chose it.
function Span({ data: { from, to } }: { data: Objectives }) {
  const t = useTranslate();
  const formats = useFormats();
  const [begin, end] = [formats.day(new Date(from)), formats.day(new Date(to))];
  return <p className="printed">{t("reports.span", { begin, end })}</p>;
}

/// What a person who has a minute wants to know.
function AtAGlance({ rows, by }: { rows: readonly ObjectiveRow[]; by: Group }) {
  const t = useTranslate();
  const formats = useFormats();
  const { applications, promised, rows: count, whole, ...sums } = summaryOf(rows);
  const kept = by === "application" ? "applications" : "of";
  return (
    <Panel title={t("reports.summary")}>
      <Facts>
        <Fact name={t("reports.summary.promised")}>
          {formats.number(promised)} / {formats.number(applications)}
        </Fact>
        <Fact name={t("reports.summary.kept")}>
          {count > 0 && t(`reports.summary.kept.${kept}`, { kept: whole, count })}
        </Fact>
        <Fact name={t("reports.summary.broken")}>
          {sums.broken_s > 0 ? <Duration seconds={sums.broken_s} /> : t("reports.summary.never")}
        </Fact>
        <Fact name={t("reports.summary.restores")}>{formats.number(sums.restores)}</Fact>
        <Fact name={t("reports.summary.longest")}>
          {sums.longest_s !== null && <Duration seconds={sums.longest_s} />}
        </Fact>
      </Facts>
    </Panel>
  );
}

function columnsIn(
  t: ReturnType<typeof useTranslate>,
  formats: Formats,
  by: Group,
): Column<ObjectiveRow>[] {
  return [
    {
      name: "name",
      title: t("reports.name"),
      cell: ({ name }) => <Name name={name} by={by} />,
    },
    {
      name: "applications",
      title: t("applications.title"),
      numeric: true,
      cell: ({ applications }) => formats.number(applications),
    },
    {
      name: "promised",
      title: t("reports.promised"),
      numeric: true,
      cell: ({ promised }) => formats.number(promised),
    },
    {
      name: "rpo",
      title: t("reports.rpo"),
      numeric: true,
      cell: ({ rpo_kept }) => <Kept share={rpo_kept} />,
    },
    {
      name: "broken",
      title: t("reports.broken"),
      numeric: true,
      cell: ({ rpo_broken_s }) => (rpo_broken_s > 0 ? <Duration seconds={rpo_broken_s} /> : "–"),
    },
    {
      name: "restores",
      title: t("reports.restores"),
      numeric: true,
      cell: (row) => <Restores row={row} />,
    },
    {
      name: "last",
      title: t("reports.rto.last"),
      numeric: true,
      cell: ({ rto_last_s }) => <Duration seconds={rto_last_s} />,
    },
    {
      name: "worst",
      title: t("reports.rto.worst"),
      numeric: true,
      cell: ({ rto_worst_s }) => <Duration seconds={rto_worst_s} />,
    },
  ];
}

function Name({ name, by }: { name: string; by: Group }) {
  const t = useTranslate();
  if (!name) return <strong>{t("reports.unnamed")}</strong>;
  const [namespace = "", application = ""] = name.split("/");
  if (by === "application") {
    return (
      <Link to="/applications/$namespace/$name" params={{ namespace, name: application }}>
        <strong>{name}</strong>
      </Link>
    );
  }
  return (
    <Link to="/" search={{ criticality: name }} hash="applications">
      <strong>{name}</strong>
    </Link>
  );
}

function Kept({ share }: { share: number | null }) {
  const t = useTranslate();
  const formats = useFormats();
  if (share === null) return <span className="quiet">{t("rpo.none")}</span>;
  return (
    <span className={classes.kept} data-tone={toneOf(share)}>
      {formats.percent(written(share), 2)}
    </span>
  );
}

function Restores({ row: { rto_kept, rto_measured } }: { row: ObjectiveRow }) {
  const t = useTranslate();
  const formats = useFormats();
  const count = formats.number(rto_measured);
  if (rto_measured === 0) return <span className="quiet">–</span>;
  if (rto_kept === null) return t("reports.unpromised", { count: rto_measured });
  return (
    <>
      <Kept share={rto_kept} /> {t("reports.of", { count })}
    </>
  );
}

/// Each day of each row; a mean over all of them would hide the days that were bad.
function OverTime({ days }: { days: Objectives["days"] }) {
  const t = useTranslate();
  const formats = useFormats();
  return (
    <>
      <DayByDay
        days={days}
        measure={RPO_KEPT}
        title={t("reports.over-time")}
        label={t("reports.over-time.of")}
        format={formats.percent}
        told={(share) => formats.percent(written(share), 2)}
        highest={1.05}
      />
      <DayByDay
        days={days}
        measure={LONGEST_RESTORE}
        title={t("reports.rto.over-time")}
        label={t("reports.rto.over-time.of")}
        format={formats.duration}
        told={formats.duration}
      />
    </>
  );
}

interface DayByDayProps {
  days: Objectives["days"];
  measure: Measure;
  title: string;
  label: string;
  /// Writes a value at the axis.
  format: (value: number) => string;
  /// Writes the value that somebody points at.
  told: (value: number) => string;
  highest?: number;
}

function DayByDay({ days, measure, title, told, ...chart }: DayByDayProps) {
  const t = useTranslate();
  const formats = useFormats();
  const curves = useMemo(
    () => curvesOf(named(days, t("reports.unnamed")), measure, LINES_MAX, t("reports.worst")),
    [days, measure, t],
  );
  function describe(at: number): string {
    const shown = curves.series.flatMap(({ name, values }) => {
      const value = values[at];
      return typeof value === "number" ? [`${name} ${told(value)}`] : [];
    });
    return [formats.date(new Date((curves.times[at] ?? 0) * 1_000)), ...shown].join(" · ");
  }
  if (curves.series.length === 0) return null;
  return (
    <Panel title={title} flush>
      <TimeChart daily describe={describe} {...chart} {...curves} />
    </Panel>
  );
}

const named = (days: Objectives["days"], unnamed: string): Objectives["days"] =>
  days.map((one) => ({ ...one, name: one.name || unnamed }));
