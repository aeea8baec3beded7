/// One run: how far it is, step by step, what it said, and what can be done about it.
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { approveRun, cancelRun, useCommand } from "@/api/commands";
import { useRefusal } from "@/api/permissions";
import { keys, run as runQuery } from "@/api/queries";
import type { RunDetail, RunState } from "@/api/types";
import { Action } from "@/design/action";
import { Fact, Facts, Page, Panel } from "@/design/page";
import { Loaded } from "@/design/states";
import { RunStatus } from "@/design/status";
import { Day, Elapsed, Moment, Size } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import { Logs } from "./logs";
import { Outcome } from "./outcome";
import { StepWords } from "./step-words";
import { Steps } from "./steps";

const FINAL: ReadonlySet<RunState> = new Set(["succeeded", "failed", "cancelled", "folded"]);

export function RunPage() {
  const t = useTranslate();
  const { run: id } = useParams({ from: "/inside/runs/$run" });
  const query = useQuery({
    ...runQuery(id),
    // A run that was just asked for is there when the planner has taken it up.
    retry: 5,
    retryDelay: 500,
  });
  const summary = query.data?.summary;
  return (
    <Page
      title={
        summary
          ? `${t(`kind.${summary.kind}`)}${summary.version ? ` v${summary.version}` : ""}`
          : t("runs.run")
      }
      before={summary && <RunStatus state={summary.state} />}
      about={summary && <About detail={query.data} />}
      actions={query.data && <Actions detail={query.data} />}
    >
      <Loaded query={query} lines={10}>
        {(detail) => (
          <>
            <Heard detail={detail} />
            <Outcome detail={detail} />
            <Panel title={t("runs.steps")} flush>
              <Steps detail={detail} />
            </Panel>
            <Panel title={t("runs.facts")}>
              <RunFacts detail={detail} />
            </Panel>
            <Logs run={id} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

/// What those hear who do not see the page: the state and the steps, not each percent.
function Heard({ detail: { summary, steps } }: { detail: RunDetail }) {
  const t = useTranslate();
  return (
    <p className="unseen" role="status">
      {t(`run.${summary.state}`)}
      {steps
        .filter(({ state }) => state === "running")
        .map(({ name }) => (
          <span key={name}>
            {". "}
            <StepWords name={name} />
          </span>
        ))}
    </p>
  );
}

function About({ detail }: { detail: RunDetail | undefined }) {
  if (!detail) return null;
  const { namespace, name, id } = detail.summary;
  return (
    <>
      <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
        {namespace}/{name}
      </Link>{" "}
      · <code className="mono">{id}</code>
    </>
  );
}

function Actions({ detail }: { detail: RunDetail }) {
  const t = useTranslate();
  const { id, state, namespace } = detail.summary;
  const refusal = useRefusal(namespace);
  const changes = [keys.run(id), keys.runs, keys.applications];
  const cancelling = useCommand({
    run: () => cancelRun(id),
    taken: () => t("cancel.taken"),
    changes,
  });
  const approving = useCommand({
    run: () => approveRun(id),
    taken: () => t("approve.taken"),
    changes,
  });
  if (FINAL.has(state)) return null;
  return (
    <>
      <Action
        variant="default"
        busy={cancelling.isPending}
        refusal={refusal("cancel") ?? (state === "ending" ? t("cancel.ending") : undefined)}
        onClick={() => cancelling.mutate()}
      >
        {t("cancel.do")}
      </Action>
      {state === "awaiting-approval" && (
        <Action
          busy={approving.isPending}
          refusal={refusal("approve")}
          onClick={() => approving.mutate()}
        >
          {t("approve.do")}
        </Action>
      )}
    </>
  );
}

function RunFacts({ detail }: { detail: RunDetail }) {
  const t = useTranslate();
  const { summary, approval, restore, backup } = detail;
  const { trigger } = summary;
  const stored = backup?.stored?.reduce((sum, source) => sum + (source.bytes_stored ?? 0), 0);
  return (
    <Facts>
      <Fact name={t("runs.trigger")}>
        {[t(`trigger.${trigger.kind}`), trigger.name].filter(Boolean).join(" · ")}
      </Fact>
      <Fact name={t("runs.actor")}>{trigger.actor}</Fact>
      <Fact name={t("runs.reason")}>{trigger.reason}</Fact>
      <Fact name={t("runs.asked")}>
        <Day at={summary.requested_at} />
      </Fact>
      <Fact name={t("runs.began")}>{summary.started_at && <Day at={summary.started_at} />}</Fact>
      <Fact name={t("runs.ended")}>{summary.finished_at && <Day at={summary.finished_at} />}</Fact>
      <Fact name={t("runs.took")}>
        {summary.started_at && <Elapsed since={summary.started_at} until={summary.finished_at} />}
      </Fact>
      <Fact name={t("runs.vault")}>{summary.vault}</Fact>
      <Fact name={t("runs.target")}>{restore?.target_namespace}</Fact>
      <Fact name={t("runs.stored")}>{stored ? <Size bytes={stored} /> : null}</Fact>
      <Fact name={t("runs.approved")}>
        {approval && (
          <>
            {approval.actor} · <Moment at={approval.at} />
          </>
        )}
      </Fact>
    </Facts>
  );
}
