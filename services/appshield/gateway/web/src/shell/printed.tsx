/// The head of a printed page: what it is of, when it was printed, and for whom.
import { useQuery } from "@tanstack/react-query";
import { useRouterState } from "@tanstack/react-router";
import { me } from "@/api/queries";
import { Brand } from "@/design/icons";
import { useNow } from "@/design/now";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./shell.module.css";

export function Printed() {
  const t = useTranslate();
  const formats = useFormats();
  const now = useNow();
  const { data: person } = useQuery(me);
  const address = useRouterState({ select: ({ location }) => location.href });
  return (
    <div className="printed" aria-hidden="true">
      <p className={classes.printed}>
        <Brand size={20} />
        <strong>AppShield</strong>
        <span>{window.location.origin + address}</span>
        <span>{t("shell.printed", { when: formats.exact(now), name: person?.name ?? "" })}</span>
      </p>
    </div>
  );
}
