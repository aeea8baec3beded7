/// What a restore would do: a dry run, and its plan.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useCommand } from "@/api/commands";
import { keys, run as runQuery } from "@/api/queries";
import { plan, restoreVersion } from "@/api/restores";
import type { RunDetail, RunState } from "@/api/types";
import { Action } from "@/design/action";
import { Note } from "@/design/note";
import { Prose } from "@/design/prose";
import { Loaded, Loading } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { StepWords } from "../runs/step-words";
import { restoreOf } from "./choices";
import { PlanView } from "./plan";
import { StepForm } from "./step-form";
import type { WizardProps } from "./wizard";

const FINAL: ReadonlySet<RunState> = new Set(["succeeded", "failed", "cancelled", "folded"]);
const LOOK_AGAIN_MS = 1_000;

export function Check(props: WizardProps) {
  const t = useTranslate();
  const { namespace, name, search, refusal, checked, go } = props;
  const checking = useCommand({
    run: () =>
      restoreVersion(
        namespace,
        name,
        restoreOf(search, namespace, { dry_run: true, needs_approval: false, reason: "" }),
      ),
    done: ({ run }) => checked(run),
    changes: [keys.runs],
  });
  const { mutate } = checking;
  const asked = useRef(false);
  // Who comes to this step wants to know: nobody has to ask for it.
  useEffect(() => {
    if (search.check || refusal || asked.current) return;
    asked.current = true;
    mutate();
  }, [search.check, refusal, mutate]);
  const dryRun = useDryRun(search.check);
  const planned = dryRun.data?.summary.state === "succeeded";
  return (
    <StepForm
      back={() => go("what")}
      forward={() => go("confirm")}
      refusal={refusal ?? (planned ? undefined : t("restore.check.first"))}
      also={
        <Action
          variant="default"
          busy={checking.isPending}
          refusal={refusal}
          onClick={() => checking.mutate()}
        >
          {t("restore.check.again")}
        </Action>
      }
    >
      <p className="quiet">{t("restore.check.about")}</p>
      {search.check ? (
        <DryRun run={search.check} query={dryRun} />
      ) : (
        checking.isPending && <Loading lines={4} />
      )}
    </StepForm>
  );
}

/// Follow a dry run until it has ended.
function useDryRun(run: string | undefined) {
  return useQuery({
    ...runQuery(run ?? ""),
    enabled: run !== undefined,
    // A run that was just asked for is there when the planner has taken it up.
    retry: 10,
    retryDelay: 500,
    refetchInterval: ({ state }) =>
      state.data && FINAL.has(state.data.summary.state) ? false : LOOK_AGAIN_MS,
  });
}

function DryRun({ run, query }: { run: string; query: ReturnType<typeof useDryRun> }) {
  const t = useTranslate();
  const planned = useQuery({
    ...plan(run),
    enabled: query.data?.summary.state === "succeeded",
  });
  const ended = query.data !== undefined && FINAL.has(query.data.summary.state);
  if (!ended) {
    const step = query.data?.steps.at(-1)?.name;
    if (query.error && !query.isFetching) return <Loaded query={query}>{() => null}</Loaded>;
    return (
      <Note tone="active" icon="search" title={t("restore.checking")}>
        <p>{step ? <StepWords name={step} /> : t("run.pending")}</p>
      </Note>
    );
  }
  if (query.data.summary.state !== "succeeded") return <InTheWay detail={query.data} />;
  return (
    <Loaded query={planned} lines={6}>
      {(found) => <PlanView plan={found} />}
    </Loaded>
  );
}

function InTheWay({ detail }: { detail: RunDetail }) {
  const t = useTranslate();
  const { failure, summary } = detail;
  return (
    <Note tone="bad" icon="close" title={failure?.what ?? t(`run.${summary.state}`)}>
      {failure?.why && <p>{failure.why}</p>}
      {failure?.next_step && (
        <p>
          <strong>{t("outcome.next")}</strong> <Prose text={failure.next_step} />
        </p>
      )}
      <p>{t("restore.in-the-way")}</p>
    </Note>
  );
}
