/// For those who answer for products: which promises about recovery were kept.
import { Button, SegmentedControl } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { type ObjectiveRow, type Objectives, objectives, objectivesCsv } from "@/api/reports";
import { DownloadLink } from "@/design/download-link";
import { Page, Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { TimeChart } from "@/design/time-chart";
import { Duration } from "@/design/values";
import type { Formats } from "@/i18n/formats";
import { useFormats, useTranslate } from "@/i18n/language";
import { PERIODS, sinceOf } from "./periods";

const FROM = "/inside/reports";

export function ReportsPage() {
  const t = useTranslate();
  const search = useSearch({ from: FROM });
  const navigate = useNavigate({ from: "/reports" });
  const by = search.by === "application" ? "application" : "criticality";
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
      <Panel
        title={t("reports.objectives")}
        actions={
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
              data={[
                { value: "criticality", label: t("reports.by.criticality") },
                { value: "application", label: t("reports.by.application") },
              ]}
            />
          </>
        }
        flush
      >
        <Loaded query={query} lines={6}>
          {(data) => <Rows data={data} />}
        </Loaded>
      </Panel>
      {query.data && query.data.days.length > 1 && <OverTime data={query.data} />}
    </Page>
  );
}

function Rows({ data: { items } }: { data: Objectives }) {
  const t = useTranslate();
  const formats = useFormats();
  if (items.length === 0) {
    return (
      <Empty title={t("reports.none")} icon="reports">
        {t("reports.none.next")}
      </Empty>
    );
  }
  return (
    <Table
      caption={t("reports.objectives")}
      columns={columnsIn(t, formats)}
      records={items}
      id={({ name }) => name}
    />
  );
}

function columnsIn(t: ReturnType<typeof useTranslate>, formats: Formats): Column<ObjectiveRow>[] {
  return [
    {
      name: "name",
      title: t("reports.name"),
      cell: ({ name }) => <strong>{name || t("reports.unnamed")}</strong>,
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
      cell: ({ rto_measured }) => formats.number(rto_measured),
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

function Kept({ share }: { share: number | null }) {
  const t = useTranslate();
  const formats = useFormats();
  if (share === null) return <Tag>{t("rpo.none")}</Tag>;
  const tone = share >= 0.999 ? "good" : share >= 0.95 ? "warn" : "bad";
  return <Tag tone={tone}>{formats.percent(share)}</Tag>;
}

/// The worst of all, day by day: what a mean would hide.
function OverTime({ data: { days } }: { data: Objectives }) {
  const t = useTranslate();
  const formats = useFormats();
  const chart = useMemo(() => {
    const worst = new Map<string, number>();
    for (const { day, rpo_kept } of days) {
      if (rpo_kept !== null) worst.set(day, Math.min(worst.get(day) ?? 1, rpo_kept));
    }
    const found = [...worst].sort(([one], [other]) => one.localeCompare(other));
    return {
      times: found.map(([day]) => Date.parse(day) / 1_000),
      first: { name: t("reports.worst"), values: found.map(([, kept]) => kept) },
    };
  }, [days, t]);
  return (
    <Panel title={t("reports.over-time")} flush>
      <TimeChart
        label={t("reports.over-time")}
        format={formats.percent}
        highest={1.05}
        {...chart}
      />
    </Panel>
  );
}
