/// Where a version is brought back to, and what happens to what is there.
import { Checkbox, Radio, TextInput } from "@mantine/core";
import { useTranslate } from "@/i18n/language";
import { isNamespace, targetOf } from "./choices";
import classes from "./restore.module.css";
import { StepForm } from "./step-form";
import type { WizardProps } from "./wizard";

export function Where({ namespace, search, choose, go, record }: WizardProps) {
  const t = useTranslate();
  const target = targetOf(search, namespace);
  const elsewhere = search.target !== undefined && search.target !== namespace;
  const named = elsewhere || search.target === namespace;
  const wrong = named && !isNamespace(target) ? t("restore.namespace.wrong") : undefined;
  return (
    <StepForm forward={() => go("what")} refusal={wrong}>
      <Radio.Group
        label={t("restore.where")}
        value={elsewhere ? "other" : "same"}
        onChange={(value) =>
          choose({ target: value === "same" ? undefined : `${namespace}-restored` })
        }
      >
        <div className={classes.sources}>
          <Radio value="same" label={t("restore.same", { namespace })} />
          <Radio value="other" label={t("restore.other")} />
        </div>
      </Radio.Group>
      {elsewhere && (
        <div className={classes.indented}>
          {/* What is typed goes into the address; the field itself does not wait for it. */}
          <TextInput
            label={t("restore.namespace")}
            description={t("restore.namespace.about")}
            defaultValue={target}
            error={wrong}
            onChange={(event) => choose({ target: event.currentTarget.value || "-" })}
            autoComplete="off"
            spellCheck={false}
          />
        </div>
      )}
      <Radio.Group
        label={t("restore.existing")}
        value={search.existing === "1" ? "onto" : "beside"}
        onChange={(value) =>
          choose(value === "onto" ? { existing: "1" } : { existing: undefined, extra: undefined })
        }
      >
        <div className={classes.sources}>
          <Radio
            value="beside"
            label={t("restore.beside")}
            description={t("restore.beside.about")}
          />
          <Radio value="onto" label={t("restore.onto")} description={t("restore.onto.about")} />
        </div>
      </Radio.Group>
      {search.existing === "1" && (
        <div className={classes.indented}>
          <Checkbox
            label={t("restore.extra")}
            description={t("restore.extra.about")}
            checked={search.extra === "1"}
            onChange={(event) => choose({ extra: event.currentTarget.checked ? "1" : undefined })}
          />
        </div>
      )}
      {record.damage && (
        <Checkbox
          label={t("restore.damaged")}
          description={t("restore.damaged.about", { count: record.damage.paths_total })}
          checked={search.damaged === "1"}
          onChange={(event) => choose({ damaged: event.currentTarget.checked ? "1" : undefined })}
        />
      )}
    </StepForm>
  );
}
