/// The button below a list that has further pages.
import { Button } from "@mantine/core";
import { useTranslate } from "@/i18n/language";
import classes from "./table.module.css";

export interface MoreProps {
  has: boolean;
  busy: boolean;
  load: () => void;
}

/// What a paged question says about its further pages.
export function moreOf(query: {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}): MoreProps {
  return {
    has: query.hasNextPage,
    busy: query.isFetchingNextPage,
    load: () => void query.fetchNextPage(),
  };
}

export function More({ has, busy, load }: MoreProps) {
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
