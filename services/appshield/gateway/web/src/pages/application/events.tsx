/// What happened to an application, the newest first.
import { Select } from "@mantine/core";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { events } from "@/api/queries";
import type { EventKind, Health, RpoState, RunState, ToldEvent } from "@/api/types";
import { LinkButton } from "@/design/link-button";
import { NoneSuch, Records, usePagedList } from "@/design/records";
import { Empty } from "@/design/states";
import { HealthStatus, RpoStatus, RunStatus, Tag } from "@/design/status";
import type { Column } from "@/design/table";
import { Day } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import { given } from "@/shell/addresses";
import { EventWords } from "./event-words";
import { FROM, type Place } from "./place";

/// What people ask for; steps are many, and stand on the page of their run.
const KINDS: readonly EventKind[] = [
  "run",
  "version",
  "health",
  "objective",
  "document",
  "pause",
  "reaction",
  "change",
  "repository",
];
const EVERYTHING = "all";

export default function Events({ namespace, name, history }: Place) {
  const t = useTranslate();
  const search = useSearch({ from: FROM });
  const navigate = useNavigate({ from: "/applications/$namespace/$name" });
  const { kind } = search;
  const wanted = kind === EVERYTHING ? [] : kind ? [kind] : KINDS;
  const list = usePagedList(
    useInfiniteQuery({
      ...events(namespace, name, { kind: wanted, history }),
      placeholderData: keepPreviousData,
    }),
  );
  const choose = (next: string | null) =>
    void navigate({
      search: given({ ...search, kind: next ?? undefined }),
      replace: true,
      resetScroll: false,
    });
  return (
    <Records
      title={t("application.events")}
      list={list}
      columns={columnsIn(t)}
      id={({ id }) => id}
      filters={
        <>
          <Select
            aria-label={t("events.kind")}
            placeholder={t("events.any-kind")}
            data={[
              ...KINDS.map((value) => ({ value, label: t(`event.${value}`) })),
              { value: EVERYTHING, label: t("events.with-steps") },
            ]}
            value={kind ?? null}
            onChange={choose}
            clearable
            w={200}
          />
          <LinkButton to="/runs" search={{ namespace, name }} variant="default">
            {t("events.runs")}
          </LinkButton>
        </>
      }
      none={
        kind ? (
          <NoneSuch showAll={() => choose(null)} />
        ) : (
          <Empty title={t("events.none")} icon="runs">
            {t("events.none.next")}
          </Empty>
        )
      }
    />
  );
}

function columnsIn(t: ReturnType<typeof useTranslate>): Column<ToldEvent>[] {
  return [
    { name: "what", title: t("events.what"), cell: (one) => <What told={one} /> },
    { name: "at", title: t("events.when"), cell: ({ at }) => <Day at={at} /> },
    { name: "state", title: t("events.state"), cell: (one) => <State told={one} /> },
    {
      name: "text",
      title: t("events.details"),
      cell: (one) => <EventWords told={one} />,
    },
  ];
}

function What({ told: { kind, run } }: { told: ToldEvent }) {
  const t = useTranslate();
  const name = <strong>{t(`event.${kind}`)}</strong>;
  if (!run) return name;
  return (
    <Link to="/runs/$run" params={{ run }}>
      {name}
    </Link>
  );
}

/// What was entered, as it looks everywhere else.
function State({ told: { kind, state, problem } }: { told: ToldEvent }) {
  const t = useTranslate();
  const word = STATES[state];
  switch (kind) {
    case "run":
      return <RunStatus state={state as RunState} plain />;
    case "health":
      return <HealthStatus health={state as Health} plain />;
    case "objective":
      return <RpoStatus state={state === "unproved" ? "none" : (state as RpoState)} plain />;
    default:
      return (
        <Tag tone={problem ? "bad" : "idle"}>{word ? t(word) : <span lang="en">{state}</span>}</Tag>
      );
  }
}

/// What an event of the other kinds entered: the second part of what the services tell.
const STATES: Readonly<Record<string, MessageKey>> = {
  observed: "event.state.observed",
  refused: "event.state.refused",
  gone: "event.state.gone",
  paused: "applications.paused",
  resumed: "event.state.resumed",
  acted: "event.state.acted",
  matched: "event.state.matched",
  failed: "step.failed",
  opened: "event.state.opened",
  taken: "event.state.taken",
  released: "event.state.released",
  stored: "event.state.stored",
  unchanged: "event.state.unchanged",
  forgotten: "event.state.forgotten",
  pruned: "event.state.pruned",
  checked: "event.state.checked",
  repaired: "event.state.repaired",
  pinned: "versions.pinned",
  copied: "event.state.copied",
  planned: "event.state.planned",
  prepared: "event.state.prepared",
  loaded: "event.state.loaded",
  applied: "event.state.applied",
  ready: "event.state.ready",
};
