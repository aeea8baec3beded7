/// The files of a version, a folder at a time. Names are shown, never trusted.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { download, files, type HeldEntry, type VersionPlace } from "@/api/contents";
import { useRefusal } from "@/api/permissions";
import { DownloadLink } from "@/design/download-link";
import { Icon } from "@/design/icons";
import { moreOf } from "@/design/more";
import { Panel } from "@/design/page";
import { SearchField } from "@/design/search-field";
import { Empty, Loaded } from "@/design/states";
import { type Column, Table } from "@/design/table";
import { Day, Size } from "@/design/values";
import { lastPart, visible } from "@/design/visible";
import { useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";
import classes from "./browse.module.css";
import { FROM, type VersionProps } from "./place";

const FOLDER = "/applications/$namespace/$name/versions/$number";

export default function Browse({ place }: VersionProps) {
  const t = useTranslate();
  const search = useSearch({ from: FROM });
  const { path = "", q = "" } = search;
  const navigate = useNavigate({ from: FOLDER });
  const query = useInfiniteQuery(files(place, path, patternOf(q)));
  const refusal = useRefusal(place.namespace)("read-data");
  return (
    <Panel
      title={<Breadcrumbs place={place} path={path} />}
      actions={
        <>
          <SearchField
            label={t("browse.find")}
            value={q}
            find={(next) =>
              void navigate({
                search: given({ ...search, q: next }),
                replace: true,
                resetScroll: false,
              })
            }
            width={190}
          />
          <DownloadLink href={download(place, path)} refusal={refusal}>
            {t("browse.folder")}
          </DownloadLink>
        </>
      }
      flush
    >
      <Loaded query={query} lines={6}>
        {(data) => {
          const entries = data.pages.flatMap((page) => page.items);
          if (entries.length === 0) {
            return q ? (
              <Empty title={t("browse.none")} icon="search">
                {t("browse.none.next")}
              </Empty>
            ) : (
              <Empty title={t("browse.empty")} icon="vaults" />
            );
          }
          return (
            <Table
              caption={t("version.files")}
              columns={columnsIn(t, place, refusal, q !== "")}
              records={entries}
              id={({ exact_path }) => exact_path}
              more={moreOf(query)}
            />
          );
        }}
      </Loaded>
    </Panel>
  );
}

function columnsIn(
  t: ReturnType<typeof useTranslate>,
  place: VersionPlace,
  refusal: string | undefined,
  /// What was found below the folder, too, so that its own name does not say where it is.
  found: boolean,
): Column<HeldEntry>[] {
  return [
    {
      name: "name",
      title: t("objects.name"),
      cell: (entry) => <EntryName entry={entry} place={place} found={found} />,
    },
    {
      name: "size_bytes",
      title: t("versions.size"),
      numeric: true,
      cell: ({ kind, size_bytes }) => kind === "file" && <Size bytes={size_bytes} />,
    },
    {
      name: "modified_at",
      title: t("browse.modified"),
      cell: ({ modified_at }) => <Day at={modified_at} />,
    },
    { name: "mode", title: t("browse.mode"), cell: ({ mode }) => <code>{mode}</code> },
    {
      name: "owner",
      title: t("browse.owner"),
      cell: ({ uid, gid }) => <span className="numbers">{`${uid}:${gid}`}</span>,
    },
    {
      name: "download",
      title: t("browse.download"),
      untitled: true,
      numeric: true,
      cell: ({ kind, exact_path, path }) =>
        (kind === "file" || kind === "dir") && (
          <DownloadLink href={download(place, exact_path)} refusal={refusal} subtle>
            {t("browse.download")} <span className="unseen">{visible(lastPart(path))}</span>
          </DownloadLink>
        ),
    },
  ];
}

interface EntryNameProps {
  entry: HeldEntry;
  place: VersionPlace;
  found: boolean;
}

function EntryName({ entry, place, found }: EntryNameProps) {
  const name = visible(found ? entry.path : lastPart(entry.path));
  if (entry.kind === "dir") {
    return (
      <Folder place={place} path={entry.exact_path}>
        <Icon name="folder" /> <bdi>{name}</bdi>
      </Folder>
    );
  }
  return (
    <span className={classes.name}>
      <Icon name={entry.target ? "link" : "file"} /> <bdi>{name}</bdi>
      {entry.target && (
        <span className="quiet">
          → <bdi>{visible(entry.target)}</bdi>
        </span>
      )}
    </span>
  );
}

function Breadcrumbs({ place, path }: { place: VersionPlace; path: string }) {
  const t = useTranslate();
  const steps = path ? path.split("/") : [];
  return (
    <span className={classes.crumbs}>
      <Folder place={place} path="">
        {t("browse.root", { number: place.number })}
      </Folder>
      {steps.map((step, at) => {
        const here = steps.slice(0, at + 1).join("/");
        return (
          <span key={here}>
            {" / "}
            <Folder place={place} path={here}>
              <bdi>{readable(step)}</bdi>
            </Folder>
          </span>
        );
      })}
    </span>
  );
}

interface FolderProps {
  place: VersionPlace;
  path: string;
  children: React.ReactNode;
}

function Folder({ place: { namespace, name, number, history }, path, children }: FolderProps) {
  return (
    <Link
      className={classes.name}
      to={FOLDER}
      params={{ namespace, name, number }}
      search={{ tab: "files", ...(path && { path }), ...(history && { history }) }}
      resetScroll={false}
    >
      {children}
    </Link>
  );
}

/// What is typed is a part of a name, unless it says itself what may stand where.
const patternOf = (text: string): string => (!text || /[*?[/]/.test(text) ? text : `*${text}*`);

/// A step of a percent-encoded path for people; one that is no text stays as it is.
function readable(step: string): string {
  try {
    return visible(decodeURIComponent(step));
  } catch {
    return step;
  }
}
