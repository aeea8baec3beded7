/// Whether what is in a Vault is whole: repository by repository, what needs somebody first.
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useCommand } from "@/api/commands";
import { useRefusal } from "@/api/permissions";
import { checkRepository, type Integrity } from "@/api/vaults";
import { Action } from "@/design/action";
import { Panel, Row } from "@/design/page";
import { Empty } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { Day } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";

const SHOWN = 25;

export function Whole({ vault, integrity }: { vault: string; integrity: readonly Integrity[] }) {
  const t = useTranslate();
  const formats = useFormats();
  const [shown, setShown] = useState(SHOWN);
  const ordered = useMemo(
    () => [...integrity].sort((a, b) => urgency(a) - urgency(b)),
    [integrity],
  );
  const columns: Column<Integrity>[] = [
    {
      name: "application",
      title: t("applications.name"),
      cell: ({ namespace, name }) => (
        <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
          <strong>
            {namespace}/{name}
          </strong>
        </Link>
      ),
    },
    {
      name: "state",
      title: t("vaults.integrity"),
      cell: (one) => <State integrity={one} />,
    },
    {
      name: "verified",
      title: t("vaults.verified"),
      numeric: true,
      cell: ({ verified_versions, versions }) => (
        <span className="numbers">
          {t("vaults.of", {
            part: formats.number(verified_versions),
            all: formats.number(versions),
          })}
        </span>
      ),
    },
    {
      name: "checked",
      title: t("vaults.checked"),
      cell: ({ checked_at }) => (checked_at ? <Day at={checked_at} /> : t("vaults.never")),
    },
    {
      name: "pruned",
      title: t("vaults.pruned"),
      cell: ({ pruned_at }) => (pruned_at ? <Day at={pruned_at} /> : t("vaults.never")),
    },
    {
      name: "check",
      title: t("vaults.check"),
      untitled: true,
      numeric: true,
      cell: (one) => <CheckNow vault={vault} integrity={one} />,
    },
  ];
  return (
    <Panel title={t("vaults.integrity")} flush>
      {integrity.length === 0 ? (
        <Empty title={t("vaults.empty")} icon="vaults">
          {t("vaults.empty.next")}
        </Empty>
      ) : (
        <Table
          caption={t("vaults.integrity")}
          columns={columns}
          records={ordered.slice(0, shown)}
          id={({ history }) => history}
          more={{
            has: integrity.length > shown,
            busy: false,
            load: () => setShown(shown + SHOWN),
          }}
        />
      )}
    </Panel>
  );
}

/// What needs somebody stands first: what is damaged, then what nobody has checked.
const urgency = ({ damaged_versions, problems, checked_at }: Integrity): number =>
  damaged_versions.length + problems.length > 0 ? 0 : checked_at === null ? 1 : 2;

function State({
  integrity: { damaged_versions, problems, checked_at },
}: {
  integrity: Integrity;
}) {
  const t = useTranslate();
  if (damaged_versions.length > 0 || problems.length > 0) {
    return (
      <Row>
        <Tag tone="bad">{t("vaults.damaged", { count: damaged_versions.length })}</Tag>
        {problems[0]}
      </Row>
    );
  }
  return (
    <Tag tone={checked_at ? "good" : "idle"}>
      {t(checked_at ? "vaults.whole" : "vaults.unchecked")}
    </Tag>
  );
}

function CheckNow({ vault, integrity }: { vault: string; integrity: Integrity }) {
  const t = useTranslate();
  const refusal = useRefusal(integrity.namespace)("keep");
  const checking = useCommand({
    run: () => checkRepository(vault, integrity),
    taken: ({ run }) => t("vaults.check.taken", { run }),
    changes: [["runs"], ["vaults"]],
  });
  return (
    <Action
      variant="default"
      busy={checking.isPending}
      refusal={refusal}
      onClick={() => checking.mutate()}
    >
      {t("vaults.check")}
    </Action>
  );
}
