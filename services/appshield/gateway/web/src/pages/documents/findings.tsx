/// Everything that is wrong with a document, and what is legal and probably not meant.
import type { Finding, Validation } from "@/api/documents";
import { Empty, Loading } from "@/design/states";
import { Tag } from "@/design/status";
import { useTranslate } from "@/i18n/language";
import classes from "./documents.module.css";

export function Findings({ checked }: { checked: Validation | undefined }) {
  const t = useTranslate();
  if (!checked) return <Loading lines={3} />;
  const { errors, warnings } = checked.report;
  if (errors.length + warnings.length === 0) {
    return <Empty title={t("findings.none")} icon="verified" />;
  }
  return (
    <ul className={classes.findings} aria-live="polite">
      {errors.map((one) => (
        <One key={keyOf(one)} finding={one} error />
      ))}
      {warnings.map((one) => (
        <One key={keyOf(one)} finding={one} />
      ))}
    </ul>
  );
}

function One({ finding, error = false }: { finding: Finding; error?: boolean }) {
  const t = useTranslate();
  const { line, column, field, wrong, right } = finding;
  return (
    <li>
      <div className={classes.place}>
        <Tag tone={error ? "bad" : "warn"}>{t(error ? "findings.error" : "findings.warning")}</Tag>
        <span className="quiet numbers">{t("findings.place", { line, column })}</span>
      </div>
      <p>
        <code className="mono">{field}</code> {wrong}
      </p>
      <p className="quiet">{right}</p>
    </li>
  );
}

const keyOf = ({ line, column, field, wrong }: Finding): string =>
  `${line}:${column} ${field} ${wrong}`;
