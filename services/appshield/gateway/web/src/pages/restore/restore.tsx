/// Bringing a version back, a step at a time: where to, what, what that would do, and then do it.
///
/// Everything chosen stands in the address, so a restore can be prepared by one and looked at by
/// another.
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { version } from "@/api/contents";
import { useRefusal } from "@/api/permissions";
import { trend } from "@/api/queries";
import { Note } from "@/design/note";
import { Page, Panel } from "@/design/page";
import { Empty, Loaded } from "@/design/states";
import { Day } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";
import { Check } from "./check";
import { changed, type RestoreSearch, STEPS, type Step, stepOf, targetOf } from "./choices";
import { Confirm } from "./confirm";
import classes from "./restore.module.css";
import { What } from "./what";
import { Where } from "./where";
import type { WizardProps } from "./wizard";

export const FROM = "/inside/applications/$namespace/$name/restore";

export function RestorePage() {
  const t = useTranslate();
  const { namespace, name } = useParams({ from: FROM });
  const search: RestoreSearch = useSearch({ from: FROM });
  const number = Number(search.version) || 0;
  return (
    <Page
      title={
        number
          ? t("restore.title", { name: `${namespace}/${name}`, number })
          : t("restore.title.any", { name: `${namespace}/${name}` })
      }
      about={
        <Link
          to="/applications/$namespace/$name"
          params={{ namespace, name }}
          search={given({ history: search.history })}
        >
          {namespace}/{name}
        </Link>
      }
    >
      {number ? (
        <Chosen namespace={namespace} name={name} number={number} search={search} />
      ) : (
        <NoVersion namespace={namespace} name={name} search={search} />
      )}
    </Page>
  );
}

interface ChosenProps extends Pick<WizardProps, "namespace" | "name" | "search"> {
  number: number;
}

function Chosen({ namespace, name, number, search }: ChosenProps) {
  const t = useTranslate();
  const navigate = useNavigate({ from: "/applications/$namespace/$name/restore" });
  const query = useQuery(version({ namespace, name, number, history: search.history }));
  const target = targetOf(search, namespace);
  const here = useRefusal(namespace);
  const there = useRefusal(target);
  const refusal = here("read-data") ?? here("restore") ?? there("restore");
  // Of what the address says by then, as a field may just have changed it.
  const show = (next: (known: RestoreSearch) => RestoreSearch, replace: boolean) =>
    void navigate({ search: (known) => given(next(known)), replace, resetScroll: false });
  const step = stepOf(search);
  const Content = CONTENTS[step];
  return (
    <div className={classes.wizard}>
      {refusal && (
        <Note tone="warn" icon="person" title={t("restore.refused")}>
          <p>{refusal}</p>
          <p>{t("restore.refused.next", { namespace, target })}</p>
        </Note>
      )}
      <Steps search={search} current={step} />
      <Loaded query={query} lines={8}>
        {(record) => (
          <Panel title={t(`restore.step.${step}`)}>
            <Content
              namespace={namespace}
              name={name}
              record={record}
              search={search}
              refusal={refusal}
              choose={(change) => show((known) => changed(known, change), true)}
              go={(next) => show((known) => ({ ...known, step: next }), false)}
              checked={(run) => show((known) => ({ ...known, check: run }), true)}
            />
          </Panel>
        )}
      </Loaded>
    </div>
  );
}

const CONTENTS = { where: Where, what: What, check: Check, confirm: Confirm };

function Steps({ search, current }: { search: RestoreSearch; current: Step }) {
  const t = useTranslate();
  const reached = STEPS.indexOf(current);
  const here = useRef<HTMLSpanElement>(null);
  const shown = useRef(current);
  // The button that led here is gone: who goes by keyboard, or hears the page, goes on from here.
  useEffect(() => {
    if (shown.current !== current) here.current?.focus();
    shown.current = current;
  }, [current]);
  return (
    <nav aria-label={t("restore.steps")}>
      <ol className={classes.steps}>
        {STEPS.map((step, at) => (
          <li key={step} data-state={at < reached ? "done" : at === reached ? "here" : "ahead"}>
            {at < reached ? (
              <Link
                from="/applications/$namespace/$name/restore"
                to="."
                search={given({ ...search, step })}
                resetScroll={false}
              >
                {t(`restore.step.${step}`)}
              </Link>
            ) : (
              <span
                {...(at === reached && {
                  ref: here,
                  tabIndex: -1,
                  "aria-current": "step" as const,
                })}
              >
                {t(`restore.step.${step}`)}
              </span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/// An address that names no version: the newest ones to choose from.
function NoVersion({ namespace, name, search }: Omit<ChosenProps, "number">) {
  const t = useTranslate();
  const query = useQuery(trend(namespace, name, search.history));
  return (
    <Panel title={t("restore.choose")}>
      <Loaded query={query} lines={4}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("versions.none")} icon="backup">
              {t("versions.none.next")}
            </Empty>
          ) : (
            <ul className={classes.newest}>
              {items.map(({ number, cut_at }) => (
                <li key={number}>
                  <Link
                    to="/applications/$namespace/$name/restore"
                    params={{ namespace, name }}
                    search={given({ history: search.history, version: String(number) })}
                  >
                    v{number}
                  </Link>{" "}
                  <span className="quiet">
                    <Day at={cut_at} />
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}
