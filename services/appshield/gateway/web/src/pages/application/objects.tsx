/// The objects of an application: how they belong together, and why each is a part of it.
import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { model } from "@/api/queries";
import type { ApplicationModel, ModelObject, ModelVolume } from "@/api/types";
import { Panel } from "@/design/page";
import { Prose } from "@/design/prose";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./condition.module.css";
import { Graph } from "./graph";
import { FROM, type Place } from "./place";

/// With more than these a picture tells less than a list.
const DRAWN_MAX = 120;

export default function Objects({ namespace, name }: Place) {
  const t = useTranslate();
  const formats = useFormats();
  const query = useQuery(model(namespace, name));
  const search = useSearch({ from: FROM });
  const navigate = useNavigate({ from: "/applications/$namespace/$name" });
  const drawn = (query.data?.objects.length ?? 0) <= DRAWN_MAX && !narrow();
  const view = search.view ?? (drawn ? "graph" : "list");
  return (
    <Panel
      title={t("application.objects")}
      count={query.data ? formats.number(query.data.objects.length) : ""}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t("objects.view")}
          value={view}
          onChange={(next) =>
            void navigate({ search: { ...search, view: next }, replace: true, resetScroll: false })
          }
          data={[
            { value: "graph", label: t("objects.graph") },
            { value: "list", label: t("objects.list") },
          ]}
        />
      }
      flush
    >
      <Loaded query={query} lines={6}>
        {(data) => {
          if (data.objects.length === 0)
            return <Empty title={t("objects.none")}>{t("objects.none.next")}</Empty>;
          return (
            <>
              <Notes model={data} />
              {view === "graph" ? <Graph model={data} /> : <List model={data} />}
              <Volumes model={data} />
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function List({ model: { objects } }: { model: ApplicationModel }) {
  const t = useTranslate();
  const columns: Column<ModelObject>[] = [
    { name: "name", title: t("objects.name"), cell: (object) => <strong>{object.name}</strong> },
    { name: "kind", title: t("objects.kind"), cell: ({ kind }) => kind },
    {
      name: "component",
      title: t("objects.component"),
      cell: ({ component }) => component && <Tag tone="active">{component}</Tag>,
    },
    { name: "why", title: t("objects.why"), cell: ({ why }) => why },
    {
      name: "problem",
      title: t("objects.state"),
      cell: ({ problem, saved }) =>
        problem ? <Tag tone="warn">{problem}</Tag> : !saved && <Tag>{t("objects.not-saved")}</Tag>,
    },
  ];
  return (
    <Table
      caption={t("application.objects")}
      columns={columns}
      records={objects}
      id={({ id }) => id}
    />
  );
}

/// What hinders a backup, and what is referred to and not there.
function Notes({ model: { obstacles, missing } }: { model: ApplicationModel }) {
  const t = useTranslate();
  const notes = [...obstacles, ...missing.map((one) => t("objects.missing", { one }))];
  if (notes.length === 0) return null;
  return (
    <div className={classes.inset}>
      <ul className={classes.notes}>
        {notes.map((note) => (
          <li key={note}>
            <Prose text={note} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Volumes({ model: { volumes } }: { model: ApplicationModel }) {
  const t = useTranslate();
  if (volumes.length === 0) return null;
  const columns: Column<ModelVolume>[] = [
    { name: "claim", title: t("objects.volume"), cell: ({ claim }) => <strong>{claim}</strong> },
    {
      name: "method",
      title: t("objects.method"),
      cell: ({ method }) =>
        method ? (
          <Tag tone={method === "snapshot" ? "good" : "warn"}>{t(`method.${method}`)}</Tag>
        ) : (
          <Tag>{t("objects.not-saved")}</Tag>
        ),
    },
    { name: "size", title: t("objects.size"), cell: ({ size }) => size },
    { name: "class", title: t("objects.class"), cell: ({ storage_class }) => storage_class },
    { name: "reason", title: t("objects.why"), cell: ({ reason }) => <Prose text={reason} /> },
  ];
  return (
    <section>
      <h3 className={classes.subtitle}>{t("objects.volumes")}</h3>
      <Table
        caption={t("objects.volumes")}
        columns={columns}
        records={volumes}
        id={({ claim }) => claim}
      />
    </section>
  );
}

const narrow = (): boolean => window.matchMedia("(max-width: 760px)").matches;
