/// One version: where it came from, what it holds, its files, how it differs from another one.
import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type VersionPlace, type VersionRecord, version } from "@/api/contents";
import { Icon } from "@/design/icons";
import { Lazily, type Part } from "@/design/lazily";
import { Note } from "@/design/note";
import { Page } from "@/design/page";
import { Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { Day, Moment } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import { given } from "@/shell/addresses";
import { Actions } from "./actions";
import { Facts } from "./facts";
import { FROM, type VersionProps } from "./place";

const TABS = {
  holds: { text: "version.holds", part: { name: "version/holds", load: () => import("./holds") } },
  files: {
    text: "version.files",
    part: { name: "version/browse", load: () => import("./browse") },
  },
  compare: {
    text: "version.compare",
    part: { name: "version/compare", load: () => import("./compare") },
  },
} satisfies Record<string, { text: MessageKey; part: Part<VersionProps> }>;
type Tab = keyof typeof TABS;

export function VersionPage() {
  const { namespace, name, number } = useParams({ from: FROM });
  const { history } = useSearch({ from: FROM });
  const place = { namespace, name, number, history };
  const query = useQuery(version(place));
  const record = query.data;
  return (
    <Page
      title={`${namespace}/${name} v${number}`}
      before={record && <Marks record={record} />}
      about={<About place={place} record={record} />}
      actions={record && <Actions place={place} record={record} />}
    >
      <Loaded query={query} lines={10}>
        {(data) => (
          <>
            <Damaged record={data} />
            <Facts place={place} record={data} />
            <Contents place={place} record={data} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Contents(props: VersionProps) {
  const t = useTranslate();
  const navigate = useNavigate({ from: "/applications/$namespace/$name/versions/$number" });
  const { tab, history } = useSearch({ from: FROM });
  const names = Object.keys(TABS) as Tab[];
  const current = names.find((name) => name === tab) ?? "holds";
  return (
    <Tabs
      value={current}
      keepMounted={false}
      onChange={(next) =>
        void navigate({
          search: { ...(history && { history }), ...(next && { tab: next }) },
          replace: true,
          resetScroll: false,
        })
      }
    >
      <Tabs.List mb="md">
        {names.map((name) => (
          <Tabs.Tab key={name} value={name}>
            {t(TABS[name].text)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {names.map((name) => (
        <Tabs.Panel key={name} value={name}>
          <Lazily part={TABS[name].part} given={props} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}

function Marks({ record }: { record: VersionRecord }) {
  const t = useTranslate();
  const { consistency } = record.facts;
  const tone = consistency === "application" ? "good" : consistency === "live" ? "warn" : "idle";
  return (
    <>
      <Tag tone={tone}>{t(`consistency.${consistency}`)}</Tag>
      {record.damage && <Tag tone="bad">{t("versions.damaged")}</Tag>}
      {record.verified_at && (
        <Tag tone="good">
          <Icon name="verified" size={13} /> {t("versions.verified")}{" "}
          <Moment at={record.verified_at} />
        </Tag>
      )}
      {record.pinned && (
        <Tag tone="active">
          <Icon name="pin" size={13} /> {t("versions.pinned")}
        </Tag>
      )}
    </>
  );
}

function About({ place, record }: { place: VersionPlace; record: VersionRecord | undefined }) {
  const { namespace, name, history } = place;
  return (
    <>
      <Link
        to="/applications/$namespace/$name"
        params={{ namespace, name }}
        search={given({ history })}
      >
        {namespace}/{name}
      </Link>
      {record && (
        <>
          {" · "}
          <Day at={record.facts.cut_at} />
        </>
      )}
    </>
  );
}

function Damaged({ record: { damage } }: { record: VersionRecord }) {
  const t = useTranslate();
  if (!damage) return null;
  return (
    <Note tone="bad" icon="close" title={t("version.damaged", { count: damage.paths_total })}>
      <p>{t("version.damaged.next")}</p>
      <ul className="mono">
        {damage.paths.map((path) => (
          <li key={path}>{path}</li>
        ))}
      </ul>
    </Note>
  );
}
