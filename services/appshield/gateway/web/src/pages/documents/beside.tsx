/// What stands beside a document: what is wrong with it, what it would do, what it said before.
import { Tabs } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import type { DocumentKind, DocumentPlace, Validation } from "@/api/documents";
import { useTranslate } from "@/i18n/language";
import classes from "./documents.module.css";
import { Findings } from "./findings";
import { Preview } from "./preview";
import { Revisions } from "./revisions";

interface BesideProps {
  kind: DocumentKind;
  /// Where it stands; nothing for a new one.
  place: DocumentPlace | null;
  text: string;
  checked: Validation | undefined;
  valid: boolean;
}

export function Beside({ kind, place, text, checked, valid }: BesideProps) {
  const t = useTranslate();
  const { tab } = useSearch({ strict: false });
  const navigate = useNavigate();
  const count = checked ? checked.report.errors.length + checked.report.warnings.length : 0;
  const previewed = kind === "Policy";
  const tabs = ["findings", ...(previewed ? ["preview"] : []), ...(place ? ["revisions"] : [])];
  return (
    <section className={classes.beside} aria-label={t("document.beside")}>
      <Tabs
        value={tabs.find((one) => one === tab) ?? "findings"}
        onChange={(next) =>
          void navigate({
            to: ".",
            search: (known) => ({ ...known, tab: next ?? "findings" }),
            replace: true,
            resetScroll: false,
          })
        }
        keepMounted={false}
      >
        <Tabs.List>
          <Tabs.Tab value="findings">{t("findings.title", { count })}</Tabs.Tab>
          {previewed && <Tabs.Tab value="preview">{t("preview.title")}</Tabs.Tab>}
          {place && <Tabs.Tab value="revisions">{t("revisions.title")}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="findings">
          <Findings checked={checked} />
        </Tabs.Panel>
        {previewed && (
          <Tabs.Panel value="preview">
            <Preview text={text} valid={valid} />
          </Tabs.Panel>
        )}
        {place && (
          <Tabs.Panel value="revisions">
            <Revisions place={place} />
          </Tabs.Panel>
        )}
      </Tabs>
    </section>
  );
}
