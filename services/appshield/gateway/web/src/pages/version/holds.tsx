/// What a version holds: its data with sizes, the images that ran by digest, its objects.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import {
  type HeldObject,
  type HeldParts,
  heldObjects,
  parts,
  type VersionSource,
} from "@/api/contents";
import { Foreign } from "@/design/foreign";
import { moreOf } from "@/design/more";
import { Note } from "@/design/note";
import { Panel, Row } from "@/design/page";
import { Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { Size } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import classes from "./holds.module.css";
import type { VersionProps } from "./place";

export default function Holds({ place, record }: VersionProps) {
  const t = useTranslate();
  const query = useQuery(parts(place));
  const { warnings } = record.facts;
  return (
    <div className="stack">
      {warnings.length > 0 && (
        <Note tone="warn" icon="warning" title={t("versions.warnings", { count: warnings.length })}>
          <ul>
            {warnings.map((warning) => (
              <li key={warning}>
                <Foreign text={warning} />
              </li>
            ))}
          </ul>
        </Note>
      )}
      <Panel title={t("version.data")} flush>
        <Sources place={place} record={record} parts={query.data} />
      </Panel>
      <Panel title={t("version.images")} flush>
        <Loaded query={query} lines={3}>
          {({ images }) => <Images images={images} />}
        </Loaded>
      </Panel>
      <Objects place={place} record={record} />
    </div>
  );
}

function Sources({ place, record, parts }: VersionProps & { parts: HeldParts | undefined }) {
  const t = useTranslate();
  const formats = useFormats();
  const volumes = new Map(parts?.volumes.map((one) => [`volumes/${one.claim}`, one]));
  const { namespace, name, number } = place;
  const columns: Column<VersionSource>[] = [
    {
      name: "name",
      title: t("version.source"),
      cell: (source) => (
        <Link
          to="/applications/$namespace/$name/versions/$number"
          params={{ namespace, name, number }}
          search={(known) => ({ ...known, tab: "files", path: encoded(source.name) })}
        >
          <strong>{source.name}</strong>
        </Link>
      ),
    },
    {
      name: "kind",
      title: t("objects.kind"),
      cell: ({ kind }) => <Kind kind={kind} />,
    },
    {
      name: "method",
      title: t("version.method"),
      cell: (source) => {
        const volume = volumes.get(source.name);
        if (!volume) return null;
        return (
          <Row>
            {t(volume.method === "live" ? "version.method.live" : "version.method.snapshot")}
            {volume.reason && (
              <span className="quiet">
                <Foreign text={volume.reason} />
              </span>
            )}
          </Row>
        );
      },
    },
    {
      name: "files",
      title: t("version.files"),
      numeric: true,
      cell: ({ files }) => (files ? formats.number(files) : ""),
    },
    {
      name: "bytes_read",
      title: t("versions.size"),
      numeric: true,
      cell: ({ bytes_read }) => <Size bytes={bytes_read} />,
    },
    {
      name: "bytes_stored",
      title: t("versions.new"),
      numeric: true,
      cell: ({ bytes_stored }) => <Size bytes={bytes_stored} />,
    },
  ];
  return (
    <Table
      caption={t("version.data")}
      columns={columns}
      records={record.facts.sources}
      id={({ name: source }) => source}
    />
  );
}

/// What a part is; `volume/snapshot` says by which method, too, which has a column of its own.
function Kind({ kind }: { kind: string }) {
  const t = useTranslate();
  const text = KINDS[kind.split("/", 1)[0] ?? ""];
  return <Tag>{text ? t(text) : kind}</Tag>;
}

function Images({ images }: Pick<HeldParts, "images">) {
  const t = useTranslate();
  const columns: Column<HeldParts["images"][number]>[] = [
    { name: "image", title: t("version.image"), cell: ({ image }) => <strong>{image}</strong> },
    {
      name: "digest",
      title: t("version.digest"),
      cell: ({ digest }) => <code className="mono">{digest}</code>,
    },
    {
      name: "workload",
      title: t("version.container"),
      cell: ({ workload, container }) => `${workload} · ${container}`,
    },
  ];
  if (images.length === 0) return <p className={classes.none}>{t("version.images.none")}</p>;
  return (
    <Table
      caption={t("version.images")}
      columns={columns}
      records={images}
      id={(one) => `${one.workload}/${one.container}`}
    />
  );
}

function Objects({ place }: VersionProps) {
  const t = useTranslate();
  const formats = useFormats();
  const query = useInfiniteQuery(heldObjects(place));
  const { namespace, name, number } = place;
  const items = query.data?.pages.flatMap((page) => page.items);
  const columns: Column<HeldObject>[] = [
    {
      name: "name",
      title: t("objects.name"),
      cell: (object) => (
        <Link
          to="/applications/$namespace/$name/versions/$number"
          params={{ namespace, name, number }}
          search={(known) => ({ ...known, tab: "files", path: folderOf(object.exact_path) })}
        >
          <strong>{object.name}</strong>
        </Link>
      ),
    },
    { name: "kind", title: t("objects.kind"), cell: ({ kind }) => kind },
    { name: "group", title: t("version.group"), cell: ({ group }) => group },
    {
      name: "size_bytes",
      title: t("versions.size"),
      numeric: true,
      cell: ({ size_bytes }) => <Size bytes={size_bytes} />,
    },
  ];
  return (
    <Panel
      title={t("application.objects")}
      count={items && !query.hasNextPage ? formats.number(items.length) : ""}
      flush
    >
      <Loaded query={query} lines={6}>
        {() => (
          <Table
            caption={t("application.objects")}
            columns={columns}
            records={items ?? []}
            id={({ exact_path }) => exact_path}
            more={moreOf(query)}
          />
        )}
      </Loaded>
    </Panel>
  );
}

const KINDS: Readonly<Record<string, MessageKey>> = {
  manifests: "version.kind.manifests",
  volume: "version.kind.volume",
  dump: "version.kind.dump",
  image: "version.kind.image",
};
const encoded = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
const folderOf = (exact: string): string => exact.slice(0, exact.lastIndexOf("/"));
