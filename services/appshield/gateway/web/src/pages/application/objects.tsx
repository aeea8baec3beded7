/// The objects of an application: how they belong together, and why each is a part of it.
import { SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { model } from "@/api/queries";
import type { ApplicationModel, ModelObject, ModelVolume } from "@/api/types";
import { Foreign } from "@/design/foreign";
import { useParts } from "@/design/in-parts";
import { isNarrow } from "@/design/narrow";
import { Panel } from "@/design/page";
import { NoneSuch } from "@/design/records";
import { SearchField } from "@/design/search-field";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { useFormats, useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";
import classes from "./condition.module.css";
import { DRAWN_MAX } from "./folding";
import { Graph } from "./graph";
import { FROM, type Place } from "./place";

export default function Objects({ namespace, name }: Place) {
  const t = useTranslate();
  const formats = useFormats();
  const query = useQuery(model(namespace, name));
  const search = useSearch({ from: FROM });
  const navigate = useNavigate({ from: "/applications/$namespace/$name" });
  const drawn = (query.data?.objects.length ?? 0) <= DRAWN_MAX && !isNarrow();
  const { q = "" } = search;
  const show = (changed: { view?: string | undefined; q?: string | undefined }) =>
    void navigate({
      search: given({ ...search, ...changed }),
      replace: true,
      resetScroll: false,
    });
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
          onChange={(next) => show({ view: next })}
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
              {view === "graph" ? (
                <Graph model={data} list={(kind) => show({ view: "list", q: kind })} />
              ) : (
                <List model={data} q={q} find={(next) => show({ view, q: next })} />
              )}
              <Volumes model={data} />
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

interface ListProps {
  model: ApplicationModel;
  q: string;
  find: (q: string) => void;
}

function List({ model: { objects }, q, find }: ListProps) {
  const t = useTranslate();
  const wanted = q.toLowerCase();
  const found = objects.filter(({ kind, name, component }) =>
    [`${kind} ${name}`, component].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <>
      <div className={classes.found}>
        <SearchField label={t("objects.find")} value={q} find={find} width={240} />
        {q && <span className="quiet">{t("objects.found", { count: found.length })}</span>}
      </div>
      {found.length === 0 ? (
        <NoneSuch showAll={() => find("")} />
      ) : (
        <ObjectTable key={q} objects={found} />
      )}
    </>
  );
}

function ObjectTable({ objects }: { objects: readonly ModelObject[] }) {
  const t = useTranslate();
  const { shown, more } = useParts(objects);
  const columns: Column<ModelObject>[] = [
    { name: "name", title: t("objects.name"), cell: (object) => <strong>{object.name}</strong> },
    { name: "kind", title: t("objects.kind"), cell: ({ kind }) => kind },
    {
      name: "component",
      title: t("objects.component"),
      cell: ({ component }) => component && <Tag tone="active">{component}</Tag>,
    },
    { name: "why", title: t("objects.why"), cell: ({ why }) => <Foreign text={why} /> },
    {
      name: "problem",
      title: t("objects.state"),
      cell: ({ problem, saved }) =>
        problem ? (
          <Tag tone="warn">
            <Foreign text={problem} />
          </Tag>
        ) : (
          !saved && <Tag>{t("objects.not-saved")}</Tag>
        ),
    },
  ];
  return (
    <Table
      caption={t("application.objects")}
      columns={columns}
      records={shown}
      id={({ id }) => id}
      more={more}
    />
  );
}

/// What hinders a backup, and what is referred to and not there.
function Notes({ model: { obstacles, missing } }: { model: ApplicationModel }) {
  const t = useTranslate();
  if (obstacles.length === 0 && missing.length === 0) return null;
  return (
    <div className={classes.inset}>
      <ul className={classes.notes}>
        {obstacles.map((note) => (
          <li key={note}>
            <Foreign text={note} />
          </li>
        ))}
        {missing.map((one) => (
          <li key={one}>{t("objects.missing", { one })}</li>
        ))}
      </ul>
    </div>
  );
}

function Volumes({ model: { volumes } }: { model: ApplicationModel }) {
  const t = useTranslate();
  const { shown, more } = useParts(volumes);
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
    { name: "reason", title: t("objects.why"), cell: ({ reason }) => <Foreign text={reason} /> },
  ];
  return (
    <section>
      <h3 className={classes.subtitle}>{t("objects.volumes")}</h3>
      <Table
        caption={t("objects.volumes")}
        columns={columns}
        records={shown}
        id={({ claim }) => claim}
        more={more}
      />
    </section>
  );
}
