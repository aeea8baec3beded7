/// The versions of an application: on a line of time, and each with its facts.
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { versions } from "@/api/queries";
import type { VersionSummary } from "@/api/types";
import { Icon } from "@/design/icons";
import { Row } from "@/design/page";
import { Records, usePagedList } from "@/design/records";
import { Empty } from "@/design/states";
import { Tag } from "@/design/status";
import type { Column } from "@/design/table";
import { Day, Elapsed, Moment, Size } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";
import type { Place } from "./place";
import { VersionsChart } from "./versions-chart";

export default function Versions(place: Place) {
  const t = useTranslate();
  const { namespace, name, history } = place;
  const list = usePagedList(useInfiniteQuery(versions(namespace, name, history)));
  return (
    <Records
      title={t("application.versions")}
      list={list}
      columns={columnsIn(t, place)}
      id={(version) => String(version.number)}
      above={list.records.length > 1 && <VersionsChart versions={list.records} />}
      none={
        <Empty title={t("versions.none")} icon="backup">
          {t("versions.none.next")}
        </Empty>
      }
    />
  );
}

function columnsIn(
  t: ReturnType<typeof useTranslate>,
  { namespace, name, history }: Place,
): Column<VersionSummary>[] {
  return [
    {
      name: "number",
      title: t("versions.number"),
      cell: ({ number }) => (
        <Link
          to="/applications/$namespace/$name/versions/$number"
          params={{ namespace, name, number }}
          search={given({ history })}
        >
          <strong className="numbers">v{number}</strong>
        </Link>
      ),
    },
    { name: "cut_at", title: t("versions.when"), cell: ({ cut_at }) => <Day at={cut_at} /> },
    {
      name: "trigger",
      title: t("versions.trigger"),
      cell: (version) => <TriggerOf version={version} />,
    },
    {
      name: "consistency",
      title: t("versions.consistency"),
      cell: ({ consistency }) => (
        <Tag
          tone={consistency === "application" ? "good" : consistency === "live" ? "warn" : "idle"}
        >
          {t(`consistency.${consistency}`)}
        </Tag>
      ),
    },
    {
      name: "read_bytes",
      title: t("versions.size"),
      numeric: true,
      cell: ({ read_bytes }) => <Size bytes={read_bytes} />,
    },
    {
      name: "stored_bytes",
      title: t("versions.new"),
      numeric: true,
      cell: ({ stored_bytes }) => <Size bytes={stored_bytes} />,
    },
    {
      name: "took",
      title: t("versions.took"),
      numeric: true,
      cell: ({ cut_at, stored_at }) => <Elapsed since={cut_at} until={stored_at} />,
    },
    {
      name: "quiesced_ms",
      title: t("versions.waited"),
      numeric: true,
      cell: (version) => <Waited version={version} />,
    },
    {
      name: "marks",
      title: t("versions.marks"),
      cell: (version) => isMarked(version) && <Marks version={version} />,
    },
    { name: "vaults", title: t("versions.vaults"), cell: ({ vaults }) => vaults.join(", ") },
  ];
}

function TriggerOf({ version }: { version: VersionSummary }) {
  const t = useTranslate();
  const by = version.trigger_name || version.actor;
  return (
    <Link to="/runs/$run" params={{ run: version.run }}>
      {t(`trigger.${version.trigger}`)}
      {by && <div className="quiet">{by}</div>}
    </Link>
  );
}

function Waited({ version }: { version: VersionSummary }) {
  const formats = useFormats();
  return (
    <span className="numbers">
      {version.quiesced_ms ? formats.duration(version.quiesced_ms / 1_000) : "–"}
    </span>
  );
}

const isMarked = ({ verified_at, pinned, damaged, warnings }: VersionSummary): boolean =>
  verified_at !== null || pinned || damaged.length > 0 || warnings > 0;

function Marks({ version }: { version: VersionSummary }) {
  const t = useTranslate();
  const { verified_at, pinned, damaged, warnings } = version;
  return (
    <Row>
      {damaged.length > 0 && <Tag tone="bad">{t("versions.damaged")}</Tag>}
      {verified_at && (
        <Tag tone="good">
          <Icon name="verified" size={13} /> {t("versions.verified")} <Moment at={verified_at} />
        </Tag>
      )}
      {pinned && (
        <Tag tone="active">
          <Icon name="pin" size={13} /> {t("versions.pinned")}
        </Tag>
      )}
      {warnings > 0 && <Tag tone="warn">{t("versions.warnings", { count: warnings })}</Tag>}
    </Row>
  );
}
