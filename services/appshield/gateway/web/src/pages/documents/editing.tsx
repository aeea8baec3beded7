/// The place where a document is edited: the text, what is wrong with it, what it would do.
import { Button } from "@mantine/core";
import { useDebouncedValue, useHotkeys } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useBlocker, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import {
  type DocumentKind,
  type DocumentPlace,
  document as documentQuery,
  NOWHERE,
  revisions,
  schema as schemaQuery,
  type Validation,
  validation,
  writeDocument,
} from "@/api/documents";
import { isSignedOut, ProblemError } from "@/api/problems";
import { keys } from "@/api/queries";
import { Action } from "@/design/action";
import type { Marked } from "@/design/editor/editor";
import { Lazily } from "@/design/lazily";
import { Panel } from "@/design/page";
import { Failed } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { Beside } from "./beside";
import { Conflict } from "./conflict";
import classes from "./documents.module.css";
import type { Saved } from "./saved";
import { textOf } from "./templates";

const EDITOR = { name: "editor", load: () => import("@/design/editor/editor") };
const QUIET_MS = 350;
/// Another state of it is there; or one at all, where none was known of.
const CONFLICTS: ReadonlySet<number> = new Set([412, 428]);

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
      void client.invalidateQueries({ queryKey: revisions(target).queryKey });
      const changes = [keys.policies, keys.applications, keys.unprotected];
      await Promise.all(changes.map((queryKey) => client.invalidateQueries({ queryKey })));
      if (!place) void navigate({ to: "/documents/$kind/$namespace/$name", params: target });
    },
    onError: async (error) => {
      if (!isConflict(error) || !target) return;
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
  const refusal = wrong ?? same ?? (settled ? undefined : t("document.checking"));
  const saveIfAllowed = () => {
    if (!refusal) save(saved.etag);
  };
  useHotkeys([["mod+S", saveIfAllowed]], [], true);
  useAskedToLeave(text !== saved.text);

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
            <Action busy={writing.isPending} refusal={refusal} onClick={saveIfAllowed}>
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
        {writing.error && !isToldElsewhere(writing.error) && <Failed error={writing.error} />}
        <Lazily
          part={EDITOR}
          given={{ text, onChange: setText, label: t("document.label", { kind }), schema, marks }}
          lines={12}
        />
        <p className={classes.keys}>{t("document.keys")}</p>
      </Panel>
      <Beside kind={kind} place={place} text={quiet} checked={checking.data} valid={errors === 0} />
    </div>
  );
}

const isConflict = (error: Error): boolean =>
  error instanceof ProblemError && CONFLICTS.has(error.status);

/// Beside the text that it is in conflict with, or, that the session has ended, above the page.
const isToldElsewhere = (error: Error): boolean => isConflict(error) || isSignedOut(error);

/// Ask whether to go where what was typed would be lost.
function useAskedToLeave(changed: boolean): void {
  const t = useTranslate();
  useBlocker({
    shouldBlockFn: ({ current, next }) =>
      changed && current.pathname !== next.pathname && !window.confirm(t("document.leave")),
    enableBeforeUnload: changed,
  });
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
