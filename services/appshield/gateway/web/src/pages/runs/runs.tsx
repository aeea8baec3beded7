/// All runs: what was done, what is being done, what waits.
import { Select } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { runs } from "@/api/queries";
import type { RunKind, RunState, RunSummary } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { Page } from "@/design/page";
import { NoneSuch, Records, usePagedList } from "@/design/records";
import { SearchField } from "@/design/search-field";
import { Empty } from "@/design/states";
import { RunStatus } from "@/design/status";
import type { Column } from "@/design/table";
import { Elapsed, Moment } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";
import { placeIn } from "./place-in";
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

interface RunsSearch {
  kind?: string | undefined;
  state?: string | undefined;
  namespace?: string | undefined;
  name?: string | undefined;
}

export function RunsPage() {
  const t = useTranslate();
  const search = useSearch({ from: "/inside/runs" });
  const navigate = useNavigate({ from: "/runs" });
  const list = usePagedList(
    useInfiniteQuery({ ...runs({ ...search }), placeholderData: keepPreviousData }),
  );
  const change = (changed: RunsSearch) =>
    void navigate({ search: given({ ...search, ...changed }), replace: true, resetScroll: false });
  return (
    <Page title={t("runs.title")} about={t("runs.about")}>
      <Records
        title={t("runs.list")}
        list={list}
        columns={columnsIn(t)}
        id={({ id }) => id}
        lines={8}
        filters={<Filters search={search} change={change} />}
        none={
          Object.keys(search).length > 0 ? (
            <NoneSuch showAll={() => void navigate({ search: {} })} />
          ) : (
            <Empty title={t("runs.none")} icon="runs">
              {t("runs.none.next")}
            </Empty>
          )
        }
      />
    </Page>
  );
}

interface FiltersProps {
  search: RunsSearch;
  change: (changed: RunsSearch) => void;
}

function Filters({ search, change }: FiltersProps) {
  const t = useTranslate();
  return (
    <>
      <SearchField
        label={t("runs.find")}
        value={[search.namespace, search.name].filter(Boolean).join("/")}
        find={(text) => change({ namespace: undefined, name: undefined, ...placeIn(text) })}
        width={220}
        whole
      />
      <Select
        aria-label={t("runs.kind")}
        placeholder={t("runs.any-kind")}
        data={KINDS.map((value) => ({ value, label: t(`kind.${value}`) }))}
        value={search.kind ?? null}
        onChange={(kind) => change({ kind: kind ?? undefined })}
        clearable
        w={190}
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
  );
}

function columnsIn(t: ReturnType<typeof useTranslate>): Column<RunSummary>[] {
  return [
    {
      name: "run",
      title: t("runs.what"),
      cell: (run) => (
        <Link to="/runs/$run" params={{ run: run.id }} className="numbers">
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
        <span className={classes.why}>
          <WhyNot run={run} />
        </span>
      )}
    </div>
  );
}

/// Why it failed, as the services say it, or for what it waits.
function WhyNot({ run }: { run: RunSummary }) {
  const t = useTranslate();
  if (run.problem) return <Foreign text={run.problem} />;
  return run.wait_reason && t(`wait.${run.wait_reason}`);
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
