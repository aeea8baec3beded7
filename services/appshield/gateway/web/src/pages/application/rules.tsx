/// The rules in force for an application: from where each is, and when it acts next.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { NOWHERE } from "@/api/documents";
import { effectiveRules } from "@/api/queries";
import type { Keep, Protection, RuleInForce } from "@/api/types";
import { LinkButton } from "@/design/link-button";
import { Prose } from "@/design/prose";
import { Records, wholeList } from "@/design/records";
import { Empty } from "@/design/states";
import type { Column } from "@/design/table";
import { Moment } from "@/design/values";
import { type Translate, useFormats, useTranslate } from "@/i18n/language";
import type { Place } from "./place";

const UNITS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

export default function Rules(place: Place) {
  const t = useTranslate();
  const { namespace, name, history } = place;
  const query = useQuery(effectiveRules(namespace, name, history));
  const columns: Column<RuleInForce>[] = [
    { name: "name", title: t("rules.name"), cell: ({ rule }) => <strong>{rule.name}</strong> },
    { name: "when", title: t("rules.when"), cell: ({ rule }) => <When rule={rule} /> },
    {
      name: "next",
      title: t("rules.next"),
      cell: ({ next_times }) => <Moment at={next_times[0]} />,
    },
    { name: "keep", title: t("rules.keep"), cell: ({ rule }) => kept(rule.keep, t) },
    { name: "targets", title: t("rules.targets"), cell: ({ targets }) => targets.join(", ") },
    {
      name: "source",
      title: t("rules.source"),
      cell: ({ policy }) => <Source policy={policy} place={place} />,
    },
  ];
  return (
    <Records
      title={t("rules.title")}
      list={wholeList(query, ({ rules }) => rules)}
      columns={columns}
      id={({ rule }) => rule.name}
      none={
        <Empty
          title={t("rules.none")}
          icon="policies"
          action={
            <LinkButton
              to="/documents/$kind/$namespace/$name"
              params={{ kind: "Application", namespace, name }}
            >
              {t("document.edit")}
            </LinkButton>
          }
        >
          <Prose text={t("rules.none.next")} />
        </Empty>
      }
    />
  );
}

function Source({ policy, place }: { policy: string; place: Place }) {
  const t = useTranslate();
  const params = policy
    ? { kind: "Policy", namespace: NOWHERE, name: policy }
    : { kind: "Application", namespace: place.namespace, name: place.name };
  return (
    <Link to="/documents/$kind/$namespace/$name" params={params}>
      {policy ? t("rules.policy", { policy }) : t("rules.own")}
    </Link>
  );
}

function When({ rule }: { rule: Protection }) {
  const t = useTranslate();
  const formats = useFormats();
  const words = [
    rule.schedule && `${rule.schedule} ${rule.timezone ?? ""}`,
    rule.rpo_s && formats.duration(rule.rpo_s),
    rule.change_of?.join(", "),
    rule.signal,
    rule.health,
    rule.before?.join(", "),
    rule.when,
  ];
  return (
    <>
      {t(`trigger.${rule.trigger}`)}{" "}
      <code className="mono quiet">{words.filter(Boolean).join(" · ")}</code>
    </>
  );
}

/// How many versions stay of each unit of time: `7 last, 30 daily`.
function kept(keep: Keep | null | undefined, t: Translate): string {
  const parts = UNITS.flatMap((unit) => {
    const count = keep?.[unit];
    return count ? [t(`keep.${unit}`, { count })] : [];
  });
  return parts.join(", ") || t("rules.keep-all");
}
