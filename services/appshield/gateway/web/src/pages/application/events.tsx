/// What happened to an application, the newest first.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { events } from "@/api/queries";
import type { ApplicationEvent } from "@/api/types";
import { Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { type Column, moreOf, Table } from "@/design/table";
import { Day } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import type { Place } from "./application";

export default function Events({ namespace, name }: Place) {
  const t = useTranslate();
  const query = useInfiniteQuery(events(namespace, name));
  const columns: Column<ApplicationEvent>[] = [
    { name: "at", title: t("events.when"), cell: ({ at }) => <Day at={at} /> },
    { name: "text", title: t("events.what"), cell: ({ text }) => text },
    {
      name: "run",
      title: t("events.run"),
      cell: ({ run }) =>
        run && (
          <Link to="/runs/$run" params={{ run }} className="mono">
            {run}
          </Link>
        ),
    },
  ];
  return (
    <Panel title={t("application.events")} flush>
      <Loaded query={query} lines={6}>
        {(data) => {
          const items = data.pages.flatMap((page) => page.items);
          return items.length === 0 ? (
            <Empty title={t("events.none")} icon="runs" />
          ) : (
            <Table
              caption={t("application.events")}
              columns={columns}
              records={items}
              id={({ at, type, text }) => `${at} ${type} ${text}`}
              more={moreOf(query)}
            />
          );
        }}
      </Loaded>
    </Panel>
  );
}
