/// Overview: how all applications are, what needs attention first, what nothing protects.
import { useQuery } from "@tanstack/react-query";
import { counts } from "@/api/queries";
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
    <Page title={t("overview.title")} about={data && t("overview.about", { count: data.total })}>
      <Totals />
      <Columns>
        <Attention />
        <UnprotectedPanel />
      </Columns>
      <Applications />
    </Page>
  );
}
