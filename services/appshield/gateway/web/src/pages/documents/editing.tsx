/// The place where a document is edited: the text, what is wrong with it, what it would do.
import { Button, Tabs } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";
import {
  type DocumentKind,
  type DocumentPlace,
  document as documentQuery,
  NOWHERE,
  schema as schemaQuery,
  type Validation,
  validation,
  writeDocument,
} from "@/api/documents";
import { ProblemError } from "@/api/problems";
import { keys } from "@/api/queries";
import { Action } from "@/design/action";
import type { Marked } from "@/design/editor/editor";
import { Panel } from "@/design/page";
import { Failed, Loading } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { Conflict } from "./conflict";
import classes from "./documents.module.css";
import { Findings } from "./findings";
import { Preview } from "./preview";
import { Revisions } from "./revisions";
import { textOf } from "./templates";

const Editor = lazy(() => import("@/design/editor/editor"));
const QUIET_MS = 350;
const CONFLICT = 412;

export interface Saved {
  text: string;
  etag: string;
}

interface EditingProps {
  kind: DocumentKind;
  /// Where it stands; nothing for a new one.
  place: DocumentPlace | null;
  namespace?: string;
  saved: Saved;
}

export function Editing({ kind, place, namespace = "", saved: begun }: EditingProps) {
  const t = useTranslate();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [saved, setSaved] = useState(begun);
  const [text, setText] = useState(begun.text);
  const [theirs, setTheirs] = useState<Saved | null>(null);
  const { data: schema } = useQuery(schemaQuery(kind));
  const [quiet] = useDebouncedValue(text, QUIET_MS);
  const around = place?.namespace ?? namespace;
  const checking = useQuery({ ...validation(quiet, around), placeholderData: keepPreviousData });
  const marks = useMemo(() => marksOf(checking.data), [checking.data]);
  const errors = checking.data?.report.errors.length ?? 0;
  const target = place ?? placeIn(checking.data);
  const settled = quiet === text && !checking.isFetching;

  const writing = useMutation({
    mutationFn: ({ dryRun, etag }: { dryRun: boolean; etag: string }) => {
      if (!target) throw new ProblemError({ title: t("document.nameless"), status: 422 });
      return writeDocument({ place: target, text, etag, dryRun });
    },
    onSuccess: async ({ data }, { dryRun }) => {
      notifications.show({
        message: t(dryRun ? "document.accepted" : "document.saved"),
        color: "tide",
      });
      if (dryRun || !target) return;
      setTheirs(null);
      setSaved({ text, etag: data.etag });
      const changes = [keys.policies, keys.applications, keys.unprotected];
      await Promise.all(changes.map((queryKey) => client.invalidateQueries({ queryKey })));
      if (!place) void navigate({ to: "/documents/$kind/$namespace/$name", params: target });
    },
    onError: async (error) => {
      if (!(error instanceof ProblemError) || error.status !== CONFLICT || !target) return;
      const { document, etag } = await client.fetchQuery({
        ...documentQuery(target),
        staleTime: 0,
      });
      setTheirs({ text: textOf(document), etag });
    },
  });
  const save = (etag: string) => writing.mutate({ dryRun: false, etag });
  const wrong = errors > 0 ? t("document.wrong", { count: errors }) : undefined;
  const same = text === saved.text && saved.etag !== "" ? t("document.unchanged") : undefined;
  const refused = writing.error instanceof ProblemError && writing.error.status !== CONFLICT;

  return (
    <div className={classes.columns}>
      <Panel
        title={t("document.text")}
        actions={
          <>
            <Button
              variant="default"
              onClick={() => writing.mutate({ dryRun: true, etag: saved.etag })}
            >
              {t("document.dry-run")}
            </Button>
            <Action
              busy={writing.isPending}
              refusal={wrong ?? same ?? (settled ? undefined : t("document.checking"))}
              onClick={() => save(saved.etag)}
            >
              {t("document.save")}
            </Action>
          </>
        }
        flush
      >
        {theirs && (
          <Conflict
            mine={text}
            theirs={theirs}
            overwrite={() => save(theirs.etag)}
            take={() => {
              setSaved(theirs);
              setText(theirs.text);
              setTheirs(null);
            }}
          />
        )}
        {refused && writing.error && <Failed error={writing.error} />}
        <Suspense fallback={<Loading lines={12} />}>
          <Editor
            text={text}
            onChange={setText}
            label={t("document.label", { kind })}
            schema={schema}
            marks={marks}
          />
        </Suspense>
      </Panel>
      <Beside kind={kind} place={place} text={quiet} checked={checking.data} valid={errors === 0} />
    </div>
  );
}

interface BesideProps extends Pick<EditingProps, "kind" | "place"> {
  text: string;
  checked: Validation | undefined;
  valid: boolean;
}

function Beside({ kind, place, text, checked, valid }: BesideProps) {
  const t = useTranslate();
  const count = checked ? checked.report.errors.length + checked.report.warnings.length : 0;
  return (
    <section className={classes.beside} aria-label={t("document.beside")}>
      <Tabs defaultValue="findings" keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="findings">{t("findings.title", { count })}</Tabs.Tab>
          {kind === "Policy" && <Tabs.Tab value="preview">{t("preview.title")}</Tabs.Tab>}
          {kind === "Application" && place && (
            <Tabs.Tab value="revisions">{t("revisions.title")}</Tabs.Tab>
          )}
        </Tabs.List>
        <Tabs.Panel value="findings">
          <Findings checked={checked} />
        </Tabs.Panel>
        <Tabs.Panel value="preview">
          <Preview text={text} valid={valid} />
        </Tabs.Panel>
        {place && (
          <Tabs.Panel value="revisions">
            <Revisions namespace={place.namespace} name={place.name} />
          </Tabs.Panel>
        )}
      </Tabs>
    </section>
  );
}

function marksOf(checked: Validation | undefined): Marked[] {
  if (!checked) return [];
  const { errors, warnings } = checked.report;
  return [
    ...errors.map((one) => ({ ...one, severity: "error" as const })),
    ...warnings.map((one) => ({ ...one, severity: "warning" as const })),
  ];
}

/// Where a new document says that it belongs.
function placeIn(checked: Validation | undefined): DocumentPlace | null {
  const found = checked?.report.documents[0];
  if (!found) return null;
  return { kind: found.kind, namespace: found.namespace || NOWHERE, name: found.name };
}
