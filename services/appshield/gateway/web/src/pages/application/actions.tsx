/// What can be done with an application from its page.
import { Modal, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { backUp, pauseApplication, resumeApplication, useCommand } from "@/api/commands";
import { useRefusal } from "@/api/permissions";
import { keys } from "@/api/queries";
import type { ApplicationDetail } from "@/api/types";
import { Action } from "@/design/action";
import { Icon } from "@/design/icons";
import { LinkButton } from "@/design/link-button";
import { Row } from "@/design/page";
import { useTranslate } from "@/i18n/language";
import { given } from "@/shell/addresses";

export function Actions({ detail }: { detail: ApplicationDetail }) {
  const t = useTranslate();
  const navigate = useNavigate();
  const { app_id, namespace, name, state, paused } = detail.summary;
  const changes = [keys.application(namespace, name), keys.applications, keys.runs];
  const refusal = useRefusal(namespace);
  const gone = state === "orphaned" ? t("application.gone") : undefined;
  const [pausing, { open, close }] = useDisclosure();
  const backingUp = useCommand({
    run: () => backUp(namespace, name),
    taken: () => t("backup.taken"),
    done: ({ run }) => void navigate({ to: "/runs/$run", params: { run } }),
    changes,
  });
  const resuming = useCommand({
    run: () => resumeApplication(namespace, name),
    taken: () => t("resume.taken"),
    changes,
  });
  return (
    <>
      {detail.versions > 0 && (
        <LinkButton
          to="/applications/$namespace/$name/restore"
          params={{ namespace, name }}
          search={given({ history: state === "orphaned" ? app_id : undefined })}
          variant="default"
          leftSection={<Icon name="restore" size={14} />}
        >
          {t("restore.do")}
        </LinkButton>
      )}
      {state === "active" && (
        <LinkButton
          to="/documents/$kind/$namespace/$name"
          params={{ kind: "Application", namespace, name }}
          variant="default"
          leftSection={<Icon name="policies" size={14} />}
        >
          {t("document.edit")}
        </LinkButton>
      )}
      {paused ? (
        <Action
          variant="default"
          icon={<Icon name="play" size={14} />}
          busy={resuming.isPending}
          refusal={refusal("pause")}
          onClick={() => resuming.mutate()}
        >
          {t("resume.do")}
        </Action>
      ) : (
        <Action
          variant="default"
          icon={<Icon name="pause" size={14} />}
          refusal={refusal("pause") ?? gone}
          onClick={open}
        >
          {t("pause.do")}
        </Action>
      )}
      <Action
        icon={<Icon name="backup" size={14} />}
        busy={backingUp.isPending}
        refusal={refusal("back-up") ?? gone}
        onClick={() => backingUp.mutate()}
      >
        {t("backup.do")}
      </Action>
      <Modal opened={pausing} onClose={close} title={t("pause.title", { name })}>
        <Pausing detail={detail} close={close} />
      </Modal>
    </>
  );
}

function Pausing({ detail, close }: { detail: ApplicationDetail; close: () => void }) {
  const t = useTranslate();
  const { namespace, name } = detail.summary;
  const [reason, setReason] = useState("");
  const pausing = useCommand({
    run: () => pauseApplication(namespace, name, reason),
    taken: () => t("pause.taken"),
    done: close,
    changes: [keys.application(namespace, name), keys.applications],
  });
  function submit(event: FormEvent) {
    event.preventDefault();
    pausing.mutate();
  }
  return (
    <form onSubmit={submit}>
      <p className="quiet">{t("pause.about")}</p>
      <TextInput
        my="md"
        data-autofocus
        label={t("pause.reason")}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Row>
        <Action busy={pausing.isPending} onClick={() => pausing.mutate()}>
          {t("pause.do")}
        </Action>
      </Row>
    </form>
  );
}
