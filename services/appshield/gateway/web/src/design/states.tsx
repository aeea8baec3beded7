/// What stands where something is not there: yet, at all, or because of an error.
import { Button } from "@mantine/core";
import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ProblemError, UNREACHABLE } from "@/api/problems";
import { useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import { Icon, type IconName } from "./icons";
import { LinkButton } from "./link-button";
import { Row } from "./page";
import { Prose } from "./prose";
import classes from "./states.module.css";

interface EmptyProps {
  title: string;
  /// What to do next.
  children?: ReactNode;
  action?: ReactNode;
  icon?: IconName;
}

export function Empty({ title, children, action, icon = "overview" }: EmptyProps) {
  return (
    <div className={classes.state}>
      <span className={classes.picture}>
        <Icon name={icon} size={22} />
      </span>
      <p className={classes.title}>{title}</p>
      {children && <p className={classes.text}>{children}</p>}
      {action}
    </div>
  );
}

/// The outline of what comes, so that nothing jumps when it is there.
export function Loading({ lines = 4 }: { lines?: number }) {
  const t = useTranslate();
  return (
    <div className={classes.loading} role="status" data-loading>
      <span className="unseen">{t("state.loading")}</span>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines of an outline have nothing else
        <span key={line} className={classes.line} />
      ))}
    </div>
  );
}

const SIGNED_OUT = 401;
const NOT_FOUND = 404;
const TITLES: Record<number, MessageKey> = {
  [UNREACHABLE]: "error.unreachable",
  403: "error.denied",
  [NOT_FOUND]: "error.not-found",
  503: "error.unavailable",
};
const STEPS: Record<number, MessageKey> = {
  [UNREACHABLE]: "error.unreachable.next",
  403: "error.denied.next",
  [NOT_FOUND]: "error.not-found.next",
  503: "error.unavailable.next",
};

export function Failed({ error, again }: { error: Error; again?: () => void }) {
  const t = useTranslate();
  const problem = error instanceof ProblemError ? error.problem : undefined;
  const status = problem?.status ?? -1;
  // What the API proposes is for its callers; who looks for a page looks for another one.
  const proposed = status === NOT_FOUND ? undefined : problem?.next_step;
  const next = proposed ?? (STEPS[status] ? t(STEPS[status]) : "");
  return (
    <div className={classes.state} role="alert" data-failed>
      <span className={classes.picture}>
        <Icon name="close" size={22} />
      </span>
      <p className={classes.title}>{t(TITLES[status] ?? "error.other")}</p>
      <p className={classes.text}>{problem?.detail ?? (status > 0 ? problem?.title : "")}</p>
      {next && (
        <p className={classes.text}>
          <Prose text={next} />
        </p>
      )}
      {problem?.request_id && (
        <p className={classes.text}>
          {t("error.request")} <code className="mono">{problem.request_id}</code>
        </p>
      )}
      <Row>
        {again && (
          <Button variant="default" onClick={again}>
            {t("error.again")}
          </Button>
        )}
        {status === NOT_FOUND && (
          <LinkButton to="/" variant="default">
            {t("not-found.next")}
          </LinkButton>
        )}
      </Row>
    </div>
  );
}

/// The session has ended: whoever signs in again comes back to where they were.
function SignedOut() {
  const t = useTranslate();
  const next = useRouterState({ select: ({ location }) => location.href });
  return (
    <Empty
      title={t("error.signed-out")}
      icon="person"
      action={
        <LinkButton to="/login" search={{ next }}>
          {t("login.do")}
        </LinkButton>
      }
    >
      {t("error.signed-out.next")}
    </Empty>
  );
}

interface LoadedProps<T> {
  query: UseQueryResult<T> | UseInfiniteQueryResult<T>;
  lines?: number;
  children: (data: T) => ReactNode;
}

/// Shows an answer, what stands in for it while it is on its way, or why there is none.
export function Loaded<T>({ query, lines, children }: LoadedProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.error instanceof ProblemError && query.error.status === SIGNED_OUT) {
    return <SignedOut />;
  }
  if (query.error) return <Failed error={query.error} again={() => void query.refetch()} />;
  return <Loading {...(lines !== undefined && { lines })} />;
}
