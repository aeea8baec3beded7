/// Policies: what protects many applications at once.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type PolicySummary, policies } from "@/api/documents";
import { Icon } from "@/design/icons";
import { LinkButton } from "@/design/link-button";
import { Page, Row } from "@/design/page";
import { Records, wholeList } from "@/design/records";
import { Empty } from "@/design/states";
import { Tag } from "@/design/status";
import type { Column } from "@/design/table";
import { useFormats, useTranslate } from "@/i18n/language";

export function PoliciesPage() {
  const t = useTranslate();
  const formats = useFormats();
  const list = wholeList(useQuery(policies), ({ items }) => items);
  return (
    <Page title={t("policies.title")} about={t("policies.about")} actions={<NewPolicy />}>
      <Records
        title={t("policies.title")}
        list={list}
        columns={columnsIn(t, formats.number)}
        id={({ name }) => name}
        none={
          <Empty title={t("policies.none")} icon="policies" action={<NewPolicy />}>
            {t("policies.none.next")}
          </Empty>
        }
      />
    </Page>
  );
}

function NewPolicy() {
  const t = useTranslate();
  return (
    <LinkButton
      to="/documents/$kind/new"
      params={{ kind: "Policy" }}
      leftSection={<Icon name="policies" size={14} />}
    >
      {t("policies.new")}
    </LinkButton>
  );
}

function columnsIn(
  t: ReturnType<typeof useTranslate>,
  number: (value: number) => string,
): Column<PolicySummary>[] {
  return [
    {
      name: "name",
      title: t("policies.name"),
      cell: ({ name, refused }) => (
        <Row>
          <Link
            to="/documents/$kind/$namespace/$name"
            params={{ kind: "Policy", namespace: "-", name }}
          >
            <strong>{name}</strong>
          </Link>
          {refused && <Tag tone="bad">{t("attention.refused")}</Tag>}
        </Row>
      ),
    },
    {
      name: "match",
      title: t("policies.match"),
      cell: ({ match }) => <code className="mono">{match}</code>,
    },
    {
      name: "rules",
      title: t("policies.rules"),
      cell: ({ rules }) => (
        <Row>
          {rules.map((rule) => (
            <Tag key={rule}>{rule}</Tag>
          ))}
        </Row>
      ),
    },
    { name: "targets", title: t("versions.vaults"), cell: ({ targets }) => targets.join(", ") },
    {
      name: "applications",
      title: t("policies.applications"),
      numeric: true,
      cell: ({ applications, undecided }) => (
        <span className="numbers">
          {number(applications)}
          {undecided > 0 && (
            <span className="quiet"> {t("policies.undecided", { count: undecided })}</span>
          )}
        </span>
      ),
    },
  ];
}
