/// All runs: what was done, what is being done, what waits.
import { Button, Select } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { runs } from "@/api/queries";
import type { RunKind, RunState, RunSummary } from "@/api/types";
import { Page, Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { RunStatus } from "@/design/status";
import { type Column, moreOf, Table } from "@/design/table";
import { Elapsed, Moment } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import { RunMeter } from "./run-meter";
import classes from "./runs.module.css";

const KINDS: readonly RunKind[] = [
  "backup",
  "restore",
  "copy",
  "check",
  "prune",
  "forget",
  "repair",
  "pin",
  "catalog",
];
const STATES: readonly RunState[] = [
  "running",
  "pending",
  "awaiting-approval",
  "ending",
  "succeeded",
  "failed",
  "cancelled",
  "folded",
];

export function RunsPage() {
  const t = useTranslate();
  const formats = useFormats();
  const search = useSearch({ from: "/inside/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const query = useInfiniteQuery({ ...runs({ ...search }), placeholderData: keepPreviousData });
  const filtered = Object.keys(search).length > 0;
  const change = (changed: Partial<Record<keyof typeof search, string | undefined>>) =>
    void navigate({
      search: { ...search, ...changed } as typeof search,
      replace: true,
      resetScroll: false,
    });
  return (
    <Page title={t("runs.title")} about={t("runs.about")}>
      <Panel
        title={t("runs.list")}
        count={query.data ? formats.number(query.data.pages[0]?.total ?? 0) : ""}
        actions={
          <>
            <Select
              aria-label={t("runs.kind")}
              placeholder={t("runs.any-kind")}
              data={KINDS.map((value) => ({ value, label: t(`kind.${value}`) }))}
              value={search.kind ?? null}
              onChange={(kind) => change({ kind: kind ?? undefined })}
              clearable
              w={170}
            />
            <Select
              aria-label={t("runs.state")}
              placeholder={t("runs.any-state")}
              data={STATES.map((value) => ({ value, label: t(`run.${value}`) }))}
              value={search.state ?? null}
              onChange={(state) => change({ state: state ?? undefined })}
              clearable
              w={170}
            />
          </>
        }
        flush
      >
        <Loaded query={query} lines={8}>
          {(data) => {
            const items = data.pages.flatMap((page) => page.items);
            if (items.length === 0) {
              return (
                <Empty
                  title={filtered ? t("runs.none-such") : t("runs.none")}
                  icon="runs"
                  action={
                    filtered && (
                      <Button variant="default" onClick={() => void navigate({ search: {} })}>
                        {t("runs.all")}
                      </Button>
                    )
                  }
                >
                  {filtered ? undefined : t("runs.none.next")}
                </Empty>
              );
            }
            return (
              <Table
                caption={t("runs.title")}
                columns={columnsIn(t)}
                records={items}
                id={({ id }) => id}
                more={moreOf(query)}
              />
            );
          }}
        </Loaded>
      </Panel>
    </Page>
  );
}

function columnsIn(t: ReturnType<typeof useTranslate>): Column<RunSummary>[] {
  return [
    {
      name: "run",
      title: t("runs.what"),
      cell: (run) => (
        <Link to="/runs/$run" params={{ run: run.id }}>
          <strong>{t(`kind.${run.kind}`)}</strong>
          {run.version ? ` v${run.version}` : ""}
        </Link>
      ),
    },
    {
      name: "application",
      title: t("runs.application"),
      cell: ({ namespace, name }) => (
        <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
          {namespace}/{name}
        </Link>
      ),
    },
    { name: "state", title: t("runs.state"), cell: (run) => <State run={run} /> },
    { name: "trigger", title: t("runs.trigger"), cell: (run) => <TriggerOf run={run} /> },
    {
      name: "requested_at",
      title: t("runs.asked"),
      cell: (run) => <Moment at={run.requested_at} />,
    },
    {
      name: "took",
      title: t("runs.took"),
      numeric: true,
      cell: (run) => <Elapsed since={run.started_at} until={run.finished_at} />,
    },
  ];
}

function State({ run }: { run: RunSummary }) {
  return (
    <div className={classes.state}>
      <RunStatus state={run.state} plain />
      {run.state === "running" && <RunMeter run={run.id} />}
      {(run.problem || run.waits_for) && (
        <span className={classes.why}>{run.problem || run.waits_for}</span>
      )}
    </div>
  );
}

function TriggerOf({ run }: { run: RunSummary }) {
  const t = useTranslate();
  const by = run.trigger.name || run.trigger.actor;
  return (
    <span>
      {t(`trigger.${run.trigger.kind}`)}
      {by && <span className="quiet"> · {by}</span>}
    </span>
  );
}
