/// The button below a list that has further pages.
import { Button } from "@mantine/core";
import { useTranslate } from "@/i18n/language";
import type { More as MoreState } from "./table";
import classes from "./table.module.css";

export function More({ has, busy, load }: MoreState) {
  const t = useTranslate();
  if (!has) return null;
  return (
    <div className={classes.more}>
      <Button variant="default" loading={busy} onClick={load}>
        {t("table.more")}
      </Button>
    </div>
  );
}
