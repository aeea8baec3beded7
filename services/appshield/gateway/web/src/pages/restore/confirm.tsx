/// The last step: say once more what is to happen, type the name, and begin.
import { Checkbox, TextInput } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useCommand } from "@/api/commands";
import { keys } from "@/api/queries";
import { restoreVersion } from "@/api/restores";
import { Icon } from "@/design/icons";
import { Note } from "@/design/note";
import { Day } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import { pathsOf, restoreOf, targetOf } from "./choices";
import { StepForm } from "./step-form";
import type { WizardProps } from "./wizard";

export function Confirm({ namespace, name, record, search, refusal, go }: WizardProps) {
  const t = useTranslate();
  const navigate = useNavigate();
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const [approval, setApproval] = useState(false);
  const target = targetOf(search, namespace);
  const paths = pathsOf(search);
  const beginning = useCommand({
    run: () =>
      restoreVersion(
        namespace,
        name,
        restoreOf(search, namespace, { dry_run: false, needs_approval: approval, reason }),
      ),
    taken: () => t("restore.taken"),
    done: ({ run }) => void navigate({ to: "/runs/$run", params: { run } }),
    changes: [keys.runs, keys.applications, keys.application(namespace, name)],
  });
  const missing =
    refusal ??
    (search.check ? undefined : t("restore.check.first")) ??
    (typed === name ? undefined : t("confirm.type", { name }));
  const onto = search.existing === "1";
  return (
    <StepForm
      back={() => go("check")}
      forward={() => beginning.mutate()}
      refusal={missing}
      busy={beginning.isPending}
      text={t("restore.begin")}
      icon={<Icon name="restore" size={14} />}
      color={onto ? "danger" : "tide"}
    >
      <Note
        tone={onto ? "bad" : "active"}
        icon="restore"
        title={t("restore.about-to", { number: record.facts.number, namespace: target })}
      >
        <p>
          {t("restore.from")} <Day at={record.facts.cut_at} />
        </p>
        <p>{paths.length === 0 ? t("restore.all.about") : paths.join(", ")}</p>
        <p>{t(onto ? "restore.onto.about" : "restore.beside.about")}</p>
        {search.extra === "1" && <p>{t("restore.extra.about")}</p>}
      </Note>
      <TextInput
        label={t("confirm.type", { name })}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
        spellCheck={false}
      />
      <TextInput
        label={t("restore.reason")}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Checkbox
        label={t("restore.approval")}
        description={t("restore.approval.about")}
        checked={approval}
        onChange={(event) => setApproval(event.currentTarget.checked)}
      />
    </StepForm>
  );
}
