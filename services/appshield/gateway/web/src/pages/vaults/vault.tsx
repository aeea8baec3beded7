/// One Vault: how much is in it and what that saves, how it grew, and whether it is whole.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useCommand } from "@/api/commands";
import { useRefusal } from "@/api/permissions";
import {
  checkRepository,
  type Integrity,
  type VaultDetail,
  type VaultSpace,
  vault as vaultQuery,
} from "@/api/vaults";
import { Action } from "@/design/action";
import { Note } from "@/design/note";
import { Columns, Fact, Facts, Page, Panel, Row } from "@/design/page";
import { Empty, Loaded, Loading } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { TimeChart } from "@/design/time-chart";
import { Day, Moment, Size } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import { Marks } from "./vaults";

const SHOWN = 25;

export function VaultPage() {
  const t = useTranslate();
  const { vault: name } = useParams({ from: "/inside/vaults/$vault" });
  const query = useQuery(vaultQuery(name));
  return (
    <Page
      title={name}
      before={query.data && <Marks vault={query.data.summary} />}
      about={<Link to="/vaults">{t("vaults.title")}</Link>}
    >
      <Loaded query={query} lines={10}>
        {(detail) => (
          <>
            {detail.summary.refused && (
              <Note tone="bad" icon="close" title={t("attention.refused")}>
                <p>{detail.summary.refused}</p>
              </Note>
            )}
            <Columns>
              <Where detail={detail} />
              <Space space={detail.space} />
            </Columns>
            <Growth detail={detail} />
            <Whole vault={name} detail={detail} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Where({ detail: { summary } }: { detail: VaultDetail }) {
  const t = useTranslate();
  const formats = useFormats();
  const { contents } = summary;
  return (
    <Panel title={t("vaults.where")}>
      <Facts>
        <Fact name={t("vaults.endpoint")}>{summary.endpoint}</Fact>
        <Fact name={t("vaults.bucket")}>
          {[summary.bucket, summary.prefix].filter(Boolean).join("/")}
        </Fact>
        <Fact name={t("vaults.region")}>{summary.region}</Fact>
        <Fact name={t("application.versions")}>{formats.number(contents.versions)}</Fact>
        <Fact name={t("applications.title")}>{formats.number(contents.applications)}</Fact>
        <Fact name={t("vaults.last")}>
          <Moment at={contents.last_stored_at} />
        </Fact>
      </Facts>
    </Panel>
  );
}

function Space({ space }: { space: VaultSpace | null }) {
  const t = useTranslate();
  const formats = useFormats();
  if (!space) {
    return (
      <Panel title={t("vaults.space")}>
        <p className="quiet">{t("vaults.measuring")}</p>
        <Loading lines={2} />
      </Panel>
    );
  }
  const unknown = Object.entries(space.not_counted);
  return (
    <Panel title={t("vaults.space")}>
      <Facts>
        <Fact name={t("vaults.size")}>
          <Size bytes={space.size_bytes} />
        </Fact>
        <Fact name={t("vaults.objects")}>{formats.number(space.objects)}</Fact>
        <Fact name={t("vaults.deduplication")}>
          {t("vaults.times", { times: formats.number(space.deduplication, 2) })}
        </Fact>
        <Fact name={t("vaults.compression")}>
          {t("vaults.times", { times: formats.number(space.compression, 2) })}
        </Fact>
        <Fact name={t("vaults.measured")}>
          <Moment at={space.measured_at} />
        </Fact>
      </Facts>
      {unknown.length > 0 && (
        <p className="quiet">
          {t("vaults.not-counted", { count: unknown.length })} {unknown[0]?.[1]}
        </p>
      )}
    </Panel>
  );
}

function Growth({ detail: { growth } }: { detail: VaultDetail }) {
  const t = useTranslate();
  const formats = useFormats();
  const data = useMemo(
    () => ({
      times: growth.map(({ day }) => Date.parse(day) / 1_000),
      first: { name: t("vaults.stored"), values: growth.map((one) => one.stored_bytes) },
      second: { name: t("vaults.protected"), values: growth.map((one) => one.read_bytes) },
    }),
    [growth, t],
  );
  return (
    <Panel title={t("vaults.growth")} flush>
      {growth.length > 1 ? (
        <TimeChart
          label={t("vaults.growth.of", {
            count: growth.length,
            size: formats.size(growth.at(-1)?.stored_bytes ?? 0),
          })}
          format={formats.size}
          {...data}
        />
      ) : (
        <Empty title={t("vaults.growth.none")} icon="vaults" />
      )}
    </Panel>
  );
}

function Whole({ vault, detail: { integrity } }: { vault: string; detail: VaultDetail }) {
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
