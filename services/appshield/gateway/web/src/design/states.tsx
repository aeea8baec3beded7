/// What stands where something is not there: yet, at all, or because of an error.
import { Button } from "@mantine/core";
import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { toldOf } from "@/api/problem-words";
import { isSignedOut, NOT_FOUND, OUTDATED } from "@/api/problems";
import { useTranslate } from "@/i18n/language";
import { Foreign } from "./foreign";
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

export function Failed({ error, again }: { error: Error; again?: () => void }) {
  const t = useTranslate();
  const { status, title, why, next, request } = toldOf(error, t);
  return (
    <div className={classes.state} role="alert" data-failed>
      <span className={classes.picture}>
        <Icon name="close" size={22} />
      </span>
      <p className={classes.title}>{title}</p>
      {why && (
        <p className={classes.text}>
          <Foreign text={why} />
        </p>
      )}
      {next && (
        <p className={classes.text}>
          {next.ours ? <Prose text={next.text} /> : <Foreign text={next.text} />}
        </p>
      )}
      {request && (
        <p className={classes.text}>
          {t("error.request")} <code className="mono">{request}</code>
        </p>
      )}
      <Row>
        {again && status !== OUTDATED && (
          <Button variant="default" onClick={again}>
            {t("error.again")}
          </Button>
        )}
        {status === OUTDATED && (
          <Button onClick={() => window.location.reload()}>{t("error.outdated.do")}</Button>
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

interface LoadedProps<T> {
  query: UseQueryResult<T> | UseInfiniteQueryResult<T>;
  lines?: number;
  children: (data: T) => ReactNode;
}

/// Shows an answer, what stands in for it while it is on its way, or why there is none.
export function Loaded<T>({ query, lines, children }: LoadedProps<T>) {
  const t = useTranslate();
  if (query.data !== undefined) return children(query.data);
  // That the session has ended is told once, above the page.
  if (isSignedOut(query.error)) return <Empty title={t("state.hidden")} icon="person" />;
  if (query.error) return <Failed error={query.error} again={() => void query.refetch()} />;
  return <Loading {...(lines !== undefined && { lines })} />;
}
