/// What happened to an application, the newest first.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { application, runs } from "@/api/queries";
import { Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { HealthStatus, RpoStatus, RunStatus, Tag } from "@/design/status";
import { type Column, moreOf, Table } from "@/design/table";
import { Day, Moment } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import type { Place } from "./application";
import { type Happened, happenedTo } from "./happened";

export default function Events({ namespace, name }: Place) {
  const t = useTranslate();
  const query = useInfiniteQuery(runs({ namespace, name }));
  const { data: detail } = useQuery(application(namespace, name));
  const columns: Column<Happened>[] = [
    { name: "at", title: t("events.when"), cell: ({ at }) => <Day at={at} /> },
    { name: "what", title: t("events.what"), cell: (one) => <What happened={one} /> },
    { name: "state", title: t("events.state"), cell: (one) => <State happened={one} /> },
    { name: "ago", title: t("events.ago"), cell: ({ at }) => <Moment at={at} /> },
  ];
  return (
    <Panel title={t("application.events")} flush>
      <Loaded query={query} lines={6}>
        {(data) => {
          const known = data.pages.flatMap((page) => page.items);
          const happened = detail ? happenedTo(detail, known) : [];
          return happened.length === 0 ? (
            <Empty title={t("events.none")} icon="runs" />
          ) : (
            <Table
              caption={t("application.events")}
              columns={columns}
              records={happened}
              id={(one) => (one.what === "run" ? one.run.id : one.what)}
              more={moreOf(query)}
            />
          );
        }}
      </Loaded>
    </Panel>
  );
}

function What({ happened }: { happened: Happened }) {
  const t = useTranslate();
  switch (happened.what) {
    case "run": {
      const { id, kind, version, problem } = happened.run;
      return (
        <>
          <Link to="/runs/$run" params={{ run: id }}>
            {t(`kind.${kind}`)}
            {version ? ` v${version}` : ""}
          </Link>
          {problem && <span className="quiet"> · {problem}</span>}
        </>
      );
    }
    case "health":
      return t("condition.health");
    case "rpo":
      return t("overview.promise");
    case "paused":
      return [t("condition.paused", { actor: happened.actor }), happened.reason]
        .filter(Boolean)
        .join(": ");
  }
}

function State({ happened }: { happened: Happened }) {
  const t = useTranslate();
  switch (happened.what) {
    case "run":
      return <RunStatus state={happened.run.state} plain />;
    case "health":
      return <HealthStatus health={happened.health} plain />;
    case "rpo":
      return <RpoStatus state={happened.rpo} plain />;
    case "paused":
      return <Tag tone="warn">{t("applications.paused")}</Tag>;
  }
}
