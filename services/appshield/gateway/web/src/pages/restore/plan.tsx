/// What a restore creates, changes and deletes, as the run has planned it.
import type { ReactNode } from "react";
import type { Plan, VolumeChanges } from "@/api/restores";
import { Note } from "@/design/note";
import { ScrollArea } from "@/design/scroll-area";
import { Tag } from "@/design/status";
import { Size } from "@/design/values";
import { visible } from "@/design/visible";
import { useTranslate } from "@/i18n/language";
import classes from "./restore.module.css";

export function PlanView({ plan }: { plan: Plan }) {
  const t = useTranslate();
  const present = new Set(plan.present);
  const fresh = plan.objects.filter((one) => !present.has(one));
  const deleted = plan.changes.reduce((sum, { deleted_total }) => sum + deleted_total, 0);
  const overwritten = plan.changes.reduce((sum, one) => sum + one.overwritten_total, 0);
  return (
    <>
      <p className={classes.summary}>
        <Tag tone="good">{t("plan.created", { count: fresh.length })}</Tag>
        {present.size > 0 && <Tag tone="warn">{t("plan.changed", { count: present.size })}</Tag>}
        {overwritten > 0 && <Tag tone="warn">{t("plan.overwritten", { count: overwritten })}</Tag>}
        {deleted > 0 && <Tag tone="bad">{t("plan.deleted", { count: deleted })}</Tag>}
      </p>
      {plan.lost_total > 0 && (
        <Note tone="bad" icon="close" title={t("plan.lost", { count: plan.lost_total })}>
          <Names names={plan.lost} />
        </Note>
      )}
      {plan.warnings.length > 0 && (
        <Note
          tone="warn"
          icon="warning"
          title={t("versions.warnings", { count: plan.warnings.length })}
        >
          <Names names={plan.warnings} />
        </Note>
      )}
      <div className={classes.plan}>
        <List title={t("plan.objects", { namespace: plan.target_namespace })}>
          {plan.objects.map((object) => (
            <li key={object}>
              <Tag tone={present.has(object) ? "warn" : "good"}>
                {t(present.has(object) ? "plan.is-changed" : "plan.is-created")}
              </Tag>
              {visible(object)}
            </li>
          ))}
        </List>
        <div className={classes.wide}>
          {plan.volumes.length + plan.dumps.length > 0 && (
            <List title={t("version.data")}>
              {plan.volumes.map(({ source, claim, present: there, size_bytes }) => (
                <li key={source}>
                  <Tag tone={there ? "warn" : "good"}>
                    {t(there ? "plan.is-filled" : "plan.is-created")}
                  </Tag>
                  {claim} <Size bytes={size_bytes} />
                </li>
              ))}
              {plan.dumps.map(({ source, component, size_bytes }) => (
                <li key={source}>
                  <Tag tone="warn">{t("plan.is-loaded")}</Tag>
                  {component} <Size bytes={size_bytes} />
                </li>
              ))}
            </List>
          )}
          {plan.changes.map((changes) => (
            <Volume key={changes.source} changes={changes} />
          ))}
        </div>
      </div>
    </>
  );
}

/// What happens to the files of a volume that is there.
function Volume({ changes }: { changes: VolumeChanges }) {
  const t = useTranslate();
  const { source, overwritten, deleted, created_total } = changes;
  const [more, gone] = [
    changes.overwritten_total - overwritten.length,
    changes.deleted_total - deleted.length,
  ];
  return (
    <List title={t("plan.files", { source })}>
      {deleted.map((file) => (
        <li key={`- ${file}`}>
          <Tag tone="bad">{t("plan.is-deleted")}</Tag> <bdi>{visible(file)}</bdi>
        </li>
      ))}
      {gone > 0 && <li className="quiet">{t("plan.more-deleted", { count: gone })}</li>}
      {overwritten.map((file) => (
        <li key={`~ ${file}`}>
          <Tag tone="warn">{t("plan.is-changed")}</Tag> <bdi>{visible(file)}</bdi>
        </li>
      ))}
      {more > 0 && <li className="quiet">{t("plan.more-overwritten", { count: more })}</li>}
      {created_total > 0 && <li>{t("plan.new-files", { count: created_total })}</li>}
      {changes.overwritten_total + changes.deleted_total + created_total === 0 && (
        <li>{t("plan.no-files")}</li>
      )}
    </List>
  );
}

function List({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h3>{title}</h3>
      <ScrollArea className={classes.list} aria-label={title}>
        <ul>{children}</ul>
      </ScrollArea>
    </section>
  );
}

function Names({ names }: { names: readonly string[] }) {
  return (
    <ul>
      {names.map((name) => (
        <li key={name}>{visible(name)}</li>
      ))}
    </ul>
  );
}
