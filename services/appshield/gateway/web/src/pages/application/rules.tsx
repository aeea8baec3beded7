/// The rules in force for an application: from where each is, and when it acts next.
import { useQuery } from "@tanstack/react-query";
import { effectiveRules } from "@/api/queries";
import type { EffectiveRule } from "@/api/types";
import { Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { type Column, Table } from "@/design/table";
import { Moment } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import type { Place } from "./application";

export default function Rules({ namespace, name }: Place) {
  const t = useTranslate();
  const query = useQuery(effectiveRules(namespace, name));
  const columns: Column<EffectiveRule>[] = [
    { name: "name", title: t("rules.name"), cell: (rule) => <strong>{rule.name}</strong> },
    {
      name: "trigger",
      title: t("rules.when"),
      cell: (rule) => (
        <>
          {t(`trigger.${rule.trigger}`)}{" "}
          {rule.text && <code className="mono quiet">{rule.text}</code>}
        </>
      ),
    },
    { name: "next", title: t("rules.next"), cell: (rule) => <Moment at={rule.next?.[0]} /> },
    { name: "keep", title: t("rules.keep"), cell: (rule) => rule.keep || t("rules.keep-all") },
    { name: "targets", title: t("rules.targets"), cell: (rule) => rule.targets?.join(", ") },
    { name: "source", title: t("rules.source"), cell: (rule) => rule.source },
  ];
  return (
    <Panel title={t("application.policies")} flush>
      <Loaded query={query} lines={4}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("rules.none")} icon="policies">
              {t("rules.none.next")}
            </Empty>
          ) : (
            <Table
              caption={t("application.policies")}
              columns={columns}
              records={items}
              id={(rule) => rule.name}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}
