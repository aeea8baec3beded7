/// Where a version came from, how long that took, and in which Vaults it is.
import { Link } from "@tanstack/react-router";
import type { VersionCopy } from "@/api/contents";
import { Columns, Fact, Panel, Row, Facts as ValueList } from "@/design/page";
import { Tag, type Tone } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { Day, Duration, Elapsed, Moment, Size } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import type { VersionProps } from "./place";

export function Facts({ record }: VersionProps) {
  const t = useTranslate();
  const { facts } = record;
  const read = facts.sources.reduce((sum, { bytes_read }) => sum + bytes_read, 0);
  const stored = facts.sources.reduce((sum, { bytes_stored }) => sum + bytes_stored, 0);
  const trigger = [t(`trigger.${facts.trigger}`), facts.trigger_name].filter(Boolean).join(" · ");
  return (
    <Columns>
      <Panel title={t("version.facts")}>
        <ValueList>
          <Fact name={t("versions.trigger")}>
            <Link to="/runs/$run" params={{ run: facts.run }}>
              {trigger}
            </Link>
          </Fact>
          <Fact name={t("version.actor")}>{facts.actor}</Fact>
          <Fact name={t("versions.when")}>
            <Day at={facts.cut_at} />
          </Fact>
          <Fact name={t("versions.took")}>
            <Elapsed since={facts.cut_at} until={record.stored_at} />
          </Fact>
          <Fact name={t("versions.waited")}>
            {facts.quiesced_ms > 0 && <Duration seconds={facts.quiesced_ms / 1_000} />}
          </Fact>
          <Fact name={t("versions.size")}>
            <Size bytes={read} />
          </Fact>
          <Fact name={t("versions.new")}>
            <Size bytes={stored} />
          </Fact>
          <Fact name={t("version.revision")}>
            <code className="mono">{facts.revision.slice(0, 12)}</code>
          </Fact>
          {facts.documents.map(({ kind, name, revision }) => (
            <Fact key={`${kind}/${name}`} name={t(`version.made-by.${kind}`)}>
              <Row>
                {kind === "Policy" ? (
                  <Link
                    to="/documents/$kind/$namespace/$name"
                    params={{ kind, namespace: "-", name }}
                  >
                    {name}
                  </Link>
                ) : (
                  name
                )}
                <code className="mono">{revision.slice(0, 12)}</code>
              </Row>
            </Fact>
          ))}
        </ValueList>
      </Panel>
      <Panel title={t("versions.vaults")} flush>
        <Copies record={record} />
      </Panel>
    </Columns>
  );
}

interface Place extends Pick<VersionCopy, "vault" | "state" | "stored_at" | "verified_at"> {
  why: string;
  damaged: boolean;
}

const TONES: Readonly<Record<VersionCopy["state"], Tone>> = {
  stored: "good",
  pending: "idle",
  copying: "active",
  failed: "bad",
  forgotten: "idle",
};

function Copies({ record }: Pick<VersionProps, "record">) {
  const t = useTranslate();
  const places: Place[] = [
    { ...record, state: "stored", damaged: record.damage !== null, why: "" },
    ...record.copies.map((copy) => ({
      ...copy,
      damaged: copy.damage !== null,
      why: copy.failure?.what ?? "",
    })),
  ];
  const columns: Column<Place>[] = [
    {
      name: "vault",
      title: t("runs.vault"),
      cell: ({ vault }) => (
        <Link to="/vaults/$vault" params={{ vault }}>
          <strong>{vault}</strong>
        </Link>
      ),
    },
    {
      name: "state",
      title: t("version.copy.state"),
      cell: ({ state, damaged, why }) => (
        <Row>
          <Tag tone={TONES[state]}>{t(`copy.${state}`)}</Tag>
          {damaged && <Tag tone="bad">{t("versions.damaged")}</Tag>}
          {why}
        </Row>
      ),
    },
    {
      name: "stored",
      title: t("version.copy.stored"),
      cell: (one) => <Moment at={one.stored_at} />,
    },
    {
      name: "verified",
      title: t("versions.verified"),
      cell: (one) => <Moment at={one.verified_at} />,
    },
  ];
  return (
    <Table
      caption={t("versions.vaults")}
      columns={columns}
      records={places}
      id={({ vault }) => vault}
    />
  );
}
