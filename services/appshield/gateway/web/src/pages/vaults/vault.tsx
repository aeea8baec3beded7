/// One Vault: how much is in it and what that saves, how it grew, and whether it is whole.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { NOWHERE } from "@/api/documents";
import { type VaultDetail, type VaultSpace, vault as vaultQuery } from "@/api/vaults";
import { dayAt } from "@/design/axis";
import { Icon } from "@/design/icons";
import { LinkButton } from "@/design/link-button";
import { Note } from "@/design/note";
import { Columns, Fact, Facts, Page, Panel } from "@/design/page";
import { Empty, Loaded, Loading } from "@/design/states";
import { TimeChart } from "@/design/time-chart";
import { Moment, Size } from "@/design/values";
import { useFormats, useTranslate } from "@/i18n/language";
import { Whole } from "./integrity";
import { Marks } from "./vaults";

export function VaultPage() {
  const t = useTranslate();
  const { vault: name } = useParams({ from: "/inside/vaults/$vault" });
  const query = useQuery(vaultQuery(name));
  return (
    <Page
      title={name}
      before={query.data && <Marks vault={query.data.summary} />}
      about={<Link to="/vaults">{t("vaults.title")}</Link>}
      actions={
        <LinkButton
          to="/documents/$kind/$namespace/$name"
          params={{ kind: "Vault", namespace: NOWHERE, name }}
          variant="default"
          leftSection={<Icon name="policies" size={14} />}
        >
          {t("document.edit")}
        </LinkButton>
      }
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
            <Whole vault={name} integrity={detail.integrity} />
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
  const lines = useMemo(
    () => ({
      times: growth.map(({ day }) => dayAt(day)),
      series: [
        { name: t("vaults.stored"), values: growth.map((one) => one.stored_bytes) },
        { name: t("vaults.protected"), values: growth.map((one) => one.read_bytes) },
      ],
    }),
    [growth, t],
  );
  function describe(at: number): string {
    const point = growth[at];
    if (!point) return "";
    const { day, versions, stored_bytes, read_bytes } = point;
    return [
      formats.date(new Date(dayAt(day) * 1_000)),
      t("application.count", { count: versions }),
      ...[stored_bytes, read_bytes].map(formats.size),
    ].join(" · ");
  }
  return (
    <Panel title={t("vaults.growth")} flush>
      {growth.length > 1 ? (
        <TimeChart
          label={t("vaults.growth.of", {
            count: growth.length,
            size: formats.size(growth.at(-1)?.stored_bytes ?? 0),
          })}
          format={formats.size}
          daily
          describe={describe}
          {...lines}
        />
      ) : (
        <Empty title={t("vaults.growth.none")} icon="vaults" />
      )}
    </Panel>
  );
}
