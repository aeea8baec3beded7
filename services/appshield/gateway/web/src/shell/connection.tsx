/// Says above every page that it is cut off, and what to do: nothing of the page goes away for that,
/// and it goes on by itself when AppShield answers again.
import { useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { LinkButton } from "@/design/link-button";
import { Note } from "@/design/note";
import { Row } from "@/design/page";
import { Prose } from "@/design/prose";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./connection.module.css";
import { useLive, useLiveState } from "./live";

/// A gateway that starts anew is not worth a word.
const PATIENCE_MS = 2_000;

export function Connection() {
  const state = useLiveState();
  return (
    <div role="status" className={classes.connection}>
      {state === "interrupted" && <Interrupted />}
      {state === "signed-out" && <SignedOut />}
    </div>
  );
}

function Interrupted() {
  const t = useTranslate();
  const formats = useFormats();
  const since = useLive().lasting();
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!long) return null;
  return (
    <Note tone="warn" icon="warning" title={t("connection.lost")}>
      <p>{t("connection.lost.what", { when: formats.time(since) })}</p>
      <p>
        <Prose text={t("connection.lost.next")} />
      </p>
    </Note>
  );
}

function SignedOut() {
  const t = useTranslate();
  const next = useRouterState({ select: ({ location }) => location.href });
  return (
    <Note tone="warn" icon="person" title={t("error.signed-out")}>
      <p className={classes.next}>{t("connection.signed-out.next")}</p>
      <Row>
        <LinkButton to="/login" search={{ next }}>
          {t("login.do")}
        </LinkButton>
        <LinkButton to="/login" target="_blank" variant="default">
          {t("connection.signed-out.apart")}
        </LinkButton>
      </Row>
    </Note>
  );
}
