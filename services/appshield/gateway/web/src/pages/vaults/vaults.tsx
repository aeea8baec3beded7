/// Vaults: where versions are kept, and whether they are whole.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type VaultSummary, vaults } from "@/api/vaults";
import { Icon } from "@/design/icons";
import { LinkButton } from "@/design/link-button";
import { Page, Row } from "@/design/page";
import { Records, wholeList } from "@/design/records";
import { Empty } from "@/design/states";
import { Tag } from "@/design/status";
import type { Column } from "@/design/table";
import { Moment, Size } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";

export function VaultsPage() {
  const t = useTranslate();
  const formats = useFormats();
  const list = wholeList(useQuery(vaults), ({ items }) => items);
  return (
    <Page title={t("vaults.title")} about={t("vaults.about")} actions={<NewVault />}>
      <Records
        title={t("vaults.title")}
        list={list}
        columns={columnsIn(t, formats.number)}
        id={({ name }) => name}
        none={
          <Empty title={t("vaults.none")} icon="vaults" action={<NewVault />}>
            {t("vaults.none.next")}
          </Empty>
        }
      />
    </Page>
  );
}

function NewVault() {
  const t = useTranslate();
  return (
    <LinkButton
      to="/documents/$kind/new"
      params={{ kind: "Vault" }}
      leftSection={<Icon name="vaults" size={14} />}
    >
      {t("vaults.new")}
    </LinkButton>
  );
}

function columnsIn(
  t: ReturnType<typeof useTranslate>,
  number: (value: number) => string,
): Column<VaultSummary>[] {
  return [
    {
      name: "name",
      title: t("vaults.name"),
      cell: (one) => (
        <Row>
          <Link to="/vaults/$vault" params={{ vault: one.name }}>
            <strong>{one.name}</strong>
          </Link>
          <Marks vault={one} />
        </Row>
      ),
    },
    {
      name: "bucket",
      title: t("vaults.bucket"),
      cell: ({ endpoint, bucket, prefix }) => (
        <span className="mono">{[endpoint, bucket, prefix].filter(Boolean).join("/")}</span>
      ),
    },
    {
      name: "applications",
      title: t("applications.title"),
      numeric: true,
      cell: ({ contents }) => number(contents.applications),
    },
    {
      name: "versions",
      title: t("application.versions"),
      numeric: true,
      cell: ({ contents }) => number(contents.versions),
    },
    {
      name: "read_bytes",
      title: t("vaults.protected"),
      numeric: true,
      cell: ({ contents }) => <Size bytes={contents.read_bytes} />,
    },
    {
      name: "last",
      title: t("vaults.last"),
      cell: ({ contents }) => <Moment at={contents.last_stored_at} />,
    },
  ];
}

export function Marks({
  vault: { refused, read_only, object_lock, contents },
}: {
  vault: VaultSummary;
}) {
  const t = useTranslate();
  return (
    <>
      {refused && <Tag tone="bad">{t("attention.refused")}</Tag>}
      {contents.damaged_versions > 0 && (
        <Tag tone="bad">{t("vaults.damaged", { count: contents.damaged_versions })}</Tag>
      )}
      {read_only && <Tag>{t("vaults.read-only")}</Tag>}
      {object_lock && <Tag tone="good">{t("vaults.locked", { count: object_lock.days })}</Tag>}
    </>
  );
}
