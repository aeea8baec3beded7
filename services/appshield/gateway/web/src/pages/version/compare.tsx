/// How a version differs from another one: objects field by field, and files.
import { SegmentedControl, Select } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type Changed, changes, type ShownChange } from "@/api/contents";
import { useRefusal } from "@/api/permissions";
import { versions } from "@/api/queries";
import { More, moreOf } from "@/design/more";
import { Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { Tag, type Tone } from "@/design/status";
import { Size } from "@/design/values";
import { visible } from "@/design/visible";
import { useFormats, useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import classes from "./compare.module.css";
import { FROM, type VersionProps } from "./place";

export default function Compare({ place }: VersionProps) {
  const t = useTranslate();
  const formats = useFormats();
  const search = useSearch({ from: FROM });
  const navigate = useNavigate({ from: "/applications/$namespace/$name/versions/$number" });
  const known = useInfiniteQuery(versions(place.namespace, place.name, place.history));
  const numbers = (known.data?.pages ?? [])
    .flatMap((page) => page.items)
    .filter(({ number }) => number !== place.number);
  const other = Number(search.with) || numbers.find((one) => one.number < place.number)?.number;
  const what: Changed = search.what === "files" ? "files" : "objects";
  const change = (changed: { with?: string; what?: string }) =>
    void navigate({
      search: { ...search, tab: "compare", ...changed },
      replace: true,
      resetScroll: false,
    });
  return (
    <Panel
      title={t("compare.title", { number: place.number })}
      actions={
        <>
          <Select
            aria-label={t("compare.with")}
            placeholder={t("compare.with")}
            data={numbers.map(({ number, cut_at }) => ({
              value: String(number),
              label: `v${number} · ${formats.day(new Date(cut_at))}`,
            }))}
            value={other ? String(other) : null}
            onChange={(value) => value && change({ with: value })}
            searchable
            w={190}
          />
          <SegmentedControl
            size="xs"
            aria-label={t("compare.what")}
            value={what}
            onChange={(value) => change({ what: value })}
            data={[
              { value: "objects", label: t("application.objects") },
              { value: "files", label: t("version.files") },
            ]}
          />
        </>
      }
      flush
    >
      {other ? (
        <Changes
          key={`${other} ${what}`}
          older={{ ...place, number: Math.min(other, place.number) }}
          newer={Math.max(other, place.number)}
          what={what}
        />
      ) : (
        <Empty title={t("compare.alone")} icon="copy">
          {t("compare.alone.next")}
        </Empty>
      )}
    </Panel>
  );
}

interface ChangesProps {
  older: VersionProps["place"];
  newer: number;
  what: Changed;
}

function Changes({ older, newer, what }: ChangesProps) {
  const t = useTranslate();
  const query = useInfiniteQuery(changes(older, newer, what));
  const hidden = useRefusal(older.namespace)("read-data");
  return (
    <Loaded query={query} lines={6}>
      {(data) => {
        const found = data.pages.flatMap((page) => page.items);
        if (found.length === 0) {
          return (
            <Empty title={t("compare.same")} icon="verified">
              {t("compare.same.what", { older: older.number, newer })}
            </Empty>
          );
        }
        return (
          <>
            <p className={classes.about}>
              {t("compare.from", { older: older.number, newer })}
              {what === "objects" && hidden && ` ${t("compare.hidden", { why: hidden })}`}
            </p>
            <ul className={classes.changes}>
              {found.map((one) => (
                <Change key={one.path} change={one} />
              ))}
            </ul>
            <More {...moreOf(query)} />
          </>
        );
      }}
    </Loaded>
  );
}

const LOOKS: Readonly<Record<ShownChange["change"], { tone: Tone; text: MessageKey }>> = {
  added: { tone: "good", text: "change.added" },
  removed: { tone: "bad", text: "change.removed" },
  changed: { tone: "warn", text: "change.changed" },
};

function Change({ change }: { change: ShownChange }) {
  const t = useTranslate();
  const { tone, text } = LOOKS[change.change];
  return (
    <li>
      <div className={classes.head}>
        <Tag tone={tone}>{t(text)}</Tag>
        <bdi className={classes.path}>{shortened(visible(change.path))}</bdi>
        <span className={classes.sizes}>
          {change.change === "changed" && (
            <span className="quiet">
              {change.reasons.map((reason) => t(reasonKey(reason))).join(", ")}
            </span>
          )}
          <Sizes change={change} />
        </span>
      </div>
      {change.fields.length > 0 && (
        <ul className={classes.fields}>
          {change.fields.map((field) => (
            <Field key={field} text={field} />
          ))}
        </ul>
      )}
    </li>
  );
}

function Sizes({ change }: { change: ShownChange }) {
  const { size_before_bytes: before, size_after_bytes: after } = change;
  if (change.change === "added") return <Size bytes={after} />;
  if (change.change === "removed" || before === after) return <Size bytes={before} />;
  return (
    <span className="numbers">
      <Size bytes={before} /> → <Size bytes={after} />
    </span>
  );
}

/// One field of an object, as the API writes it: `/pointer: old -> new`.
function Field({ text }: { text: string }) {
  const [, pointer = "", words = text] = /^(\S*): (.*)$/s.exec(text) ?? [];
  const added = /^added (.*)$/s.exec(words)?.[1];
  const removed = /^removed (.*)$/s.exec(words)?.[1];
  const [, old, fresh] = /^(.*?) -> (.*)$/s.exec(words) ?? [];
  return (
    <li>
      <code className={classes.pointer}>{pointer}</code>{" "}
      {(removed ?? old) !== undefined && <del>{visible(removed ?? old ?? "")}</del>}{" "}
      {(added ?? fresh) !== undefined && <ins>{visible(added ?? fresh ?? "")}</ins>}
    </li>
  );
}

const REASONS: Readonly<Record<string, MessageKey>> = {
  kind: "reason.kind",
  content: "reason.content",
  mode: "reason.mode",
  owner: "reason.owner",
  time: "reason.time",
  attributes: "reason.attributes",
};
const reasonKey = (reason: string): MessageKey => REASONS[reason] ?? "reason.attributes";

const shortened = (path: string): string => path.replace(/^manifests\//, "").replace(/\.json$/, "");
