/// What a policy would do: whom it matches, why, and when it would run.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type PreviewedApplication, preview } from "@/api/documents";
import { Foreign } from "@/design/foreign";
import { Empty, Loaded } from "@/design/states";
import { Tag, type Tone } from "@/design/status";
import { Day } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import classes from "./documents.module.css";

const TONES: Readonly<Record<PreviewedApplication["outcome"], Tone>> = {
  matches: "good",
  differs: "idle",
  undecided: "warn",
};

export function Preview({ text, valid }: { text: string; valid: boolean }) {
  const t = useTranslate();
  const query = useQuery({ ...preview(text), enabled: valid, placeholderData: keepPreviousData });
  if (!valid) return <Empty title={t("preview.invalid")} icon="policies" />;
  return (
    <Loaded query={query} lines={4}>
      {({ matches, differs, undecided, applications }) => (
        <>
          <p className={classes.counts}>
            <Tag tone="good">{t("preview.matches", { count: matches })}</Tag>
            {undecided > 0 && <Tag tone="warn">{t("preview.undecided", { count: undecided })}</Tag>}
            <Tag>{t("preview.differs", { count: differs })}</Tag>
          </p>
          <ul className={classes.findings}>
            {applications.map((one) => (
              <Application key={one.app_id} application={one} />
            ))}
          </ul>
        </>
      )}
    </Loaded>
  );
}

function Application({ application }: { application: PreviewedApplication }) {
  const t = useTranslate();
  const { namespace, name, outcome, why, rules, matched } = application;
  return (
    <li>
      <div className={classes.place}>
        <Link to="/applications/$namespace/$name" params={{ namespace, name }}>
          {namespace}/{name}
        </Link>
        <Tag tone={TONES[outcome]}>{t(`outcome.${outcome}`)}</Tag>
        {outcome === "matches" && !matched && <Tag tone="active">{t("preview.new")}</Tag>}
        {outcome !== "matches" && matched && <Tag tone="bad">{t("preview.lost")}</Tag>}
      </div>
      {why && (
        <p className="quiet">
          <Foreign text={why} />
        </p>
      )}
      {rules.map((rule) => (
        <p key={rule.name}>
          <strong>{rule.name}</strong> {rule.when}
          {rule.next_times[0] && (
            <span className="quiet">
              {" "}
              · {t("preview.next")} <Day at={rule.next_times[0]} />
            </span>
          )}
        </p>
      ))}
    </li>
  );
}
