/// One application: how it is and why, its versions, its objects, what protects it, what happened.
import { Tabs } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { application } from "@/api/queries";
import type { ApplicationDetail } from "@/api/types";
import { Lazily, type Part } from "@/design/lazily";
import { Page } from "@/design/page";
import { Loaded } from "@/design/states";
import { HealthStatus, Tag } from "@/design/status";
import { useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import { given } from "@/shell/addresses";
import { Actions } from "./actions";
import { Condition } from "./condition";
import { FROM, type Place } from "./place";
import { Underway } from "./underway";

const TABS = {
  versions: {
    text: "application.versions",
    part: { name: "application/versions", load: () => import("./versions") },
  },
  objects: {
    text: "application.objects",
    part: { name: "application/objects", load: () => import("./objects") },
  },
  policies: {
    text: "application.policies",
    part: { name: "application/rules", load: () => import("./rules") },
  },
  events: {
    text: "application.events",
    part: { name: "application/events", load: () => import("./events") },
  },
} satisfies Record<string, { text: MessageKey; part: Part<Place> }>;
type Tab = keyof typeof TABS;

export function ApplicationPage() {
  const { namespace, name } = useParams({ from: FROM });
  const { history } = useSearch({ from: FROM });
  const place = { namespace, name, history };
  const query = useQuery(application(namespace, name, history));
  return (
    <Page
      title={`${place.namespace}/${place.name}`}
      before={query.data && <Marks detail={query.data} />}
      about={query.data && <About detail={query.data} />}
      actions={query.data && <Actions detail={query.data} />}
    >
      <Loaded query={query} lines={10}>
        {(detail) => (
          <>
            <Underway detail={detail} />
            <Condition detail={detail} />
            <Contents place={place} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Contents({ place }: { place: Place }) {
  const t = useTranslate();
  const navigate = useNavigate({ from: "/applications/$namespace/$name" });
  const { tab } = useSearch({ from: FROM });
  const names = Object.keys(TABS) as Tab[];
  const current = names.find((name) => name === tab) ?? "versions";
  return (
    <Tabs
      value={current}
      keepMounted={false}
      onChange={(next) =>
        void navigate({
          search: given({ history: place.history, tab: next ?? undefined }),
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
          <Lazily part={TABS[name].part} given={place} />
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}

function Marks({ detail }: { detail: ApplicationDetail }): ReactNode {
  const t = useTranslate();
  const { state, health, paused } = detail.summary;
  return (
    <>
      {state === "orphaned" ? (
        <Tag tone="warn">{t("applications.orphaned")}</Tag>
      ) : (
        <HealthStatus health={health || "Unknown"} />
      )}
      {paused && <Tag tone="warn">{t("applications.paused")}</Tag>}
    </>
  );
}

function About({ detail }: { detail: ApplicationDetail }): ReactNode {
  const t = useTranslate();
  const { type, criticality } = detail.summary;
  const parts = [type, criticality, t("application.count", { count: detail.versions })];
  return parts.filter(Boolean).join(" · ");
}
