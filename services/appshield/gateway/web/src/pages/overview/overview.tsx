/// Overview: how all applications are, what needs attention first, what nothing protects.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { counts } from "@/api/queries";
import type { ApplicationCounts } from "@/api/types";
import { Columns, Page } from "@/design/page";
import { useTranslate } from "@/i18n/language";
import { Applications } from "./applications";
import { Attention } from "./attention-panel";
import { Totals } from "./totals";
import { UnprotectedPanel } from "./unprotected";

export function OverviewPage() {
  const t = useTranslate();
  const { data } = useQuery(counts);
  return (
    <Page title={t("overview.title")} about={data && <About counts={data} />}>
      <Totals />
      <Columns>
        <Attention />
        <UnprotectedPanel />
      </Columns>
      <Applications />
    </Page>
  );
}

function About({ counts: { total, health } }: { counts: ApplicationCounts }) {
  const t = useTranslate();
  // Only what is there has a health, be it that nobody knows it.
  const active = Object.values(health).reduce((sum, count) => sum + count, 0);
  return (
    <>
      {t("overview.about", { count: active })}
      {total > active && (
        <>
          {" · "}
          <Link to="/" search={{ state: "orphaned" }} hash="applications">
            {t("overview.orphaned", { count: total - active })}
          </Link>
        </>
      )}
    </>
  );
}
