/// What can be done with a version: bring it back, keep it, copy it, let it go.
import { Modal, Select, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useCommand } from "@/api/commands";
import { copyVersion, forgetVersion, pinVersion } from "@/api/contents";
import { useRefusal } from "@/api/permissions";
import { keys } from "@/api/queries";
import { vaults } from "@/api/vaults";
import { Action } from "@/design/action";
import { Icon } from "@/design/icons";
import { LinkButton } from "@/design/link-button";
import { Row } from "@/design/page";
import { useTranslate } from "@/i18n/language";
import type { VersionProps } from "./place";

export function Actions(props: VersionProps) {
  const t = useTranslate();
  const { place, record } = props;
  const { namespace, name, number, history } = place;
  const refusal = useRefusal(namespace);
  const [copying, copyWindow] = useDisclosure();
  const [forgetting, forgetWindow] = useDisclosure();
  const pinning = useCommand({
    run: () => pinVersion(place, !record.pinned),
    taken: () => t(record.pinned ? "unpin.taken" : "pin.taken"),
    changes: [keys.application(namespace, name)],
  });
  return (
    <>
      <Action
        variant="default"
        icon={<Icon name="pin" size={14} />}
        busy={pinning.isPending}
        refusal={refusal("keep")}
        onClick={() => pinning.mutate()}
      >
        {t(record.pinned ? "unpin.do" : "pin.do")}
      </Action>
      <Action
        variant="default"
        icon={<Icon name="copy" size={14} />}
        refusal={refusal("keep")}
        onClick={copyWindow.open}
      >
        {t("copy.do")}
      </Action>
      <Action
        variant="default"
        icon={<Icon name="close" size={14} />}
        refusal={refusal("forget") ?? (record.pinned ? t("forget.pinned") : undefined)}
        onClick={forgetWindow.open}
      >
        {t("forget.do")}
      </Action>
      {/* Whoever may not restore can go there, too: the page says which right is missing. */}
      <LinkButton
        to="/applications/$namespace/$name/restore"
        params={{ namespace, name }}
        search={{ version: String(number), ...(history && { history }) }}
        leftSection={<Icon name="restore" size={14} />}
      >
        {t("restore.do")}
      </LinkButton>
      <Modal opened={copying} onClose={copyWindow.close} title={t("copy.title", { number })}>
        <Copying {...props} close={copyWindow.close} />
      </Modal>
      <Modal opened={forgetting} onClose={forgetWindow.close} title={t("forget.title", { number })}>
        <Forgetting {...props} close={forgetWindow.close} />
      </Modal>
    </>
  );
}

interface WindowProps extends VersionProps {
  close: () => void;
}

function Copying({ place, record, close }: WindowProps) {
  const t = useTranslate();
  const navigate = useNavigate();
  const { data } = useQuery(vaults);
  const has = new Set([
    record.vault,
    ...record.copies.filter(({ state }) => state === "stored").map(({ vault }) => vault),
  ]);
  const others = (data?.items ?? []).map(({ name }) => name).filter((name) => !has.has(name));
  const [vault, setVault] = useState<string | null>(null);
  const copying = useCommand({
    run: (to: string) => copyVersion(place, to),
    taken: () => t("copy.taken"),
    done: ({ run }) => {
      close();
      void navigate({ to: "/runs/$run", params: { run } });
    },
    changes: [keys.application(place.namespace, place.name)],
  });
  if (data && others.length === 0) return <p>{t("copy.none")}</p>;
  return (
    <div className="stack">
      <Select
        data-autofocus
        label={t("copy.vault")}
        data={others}
        value={vault}
        onChange={setVault}
        comboboxProps={{ withinPortal: false }}
      />
      <Row>
        <Action
          busy={copying.isPending}
          refusal={vault ? undefined : t("copy.choose")}
          onClick={() => vault && copying.mutate(vault)}
        >
          {t("copy.do")}
        </Action>
      </Row>
    </div>
  );
}

function Forgetting({ place, close }: WindowProps) {
  const t = useTranslate();
  const navigate = useNavigate();
  const { namespace, name } = place;
  const [typed, setTyped] = useState("");
  const forgetting = useCommand({
    run: () => forgetVersion(place),
    taken: () => t("forget.taken"),
    done: ({ run }) => {
      close();
      void navigate({ to: "/runs/$run", params: { run } });
    },
    changes: [keys.application(namespace, name), keys.applications],
  });
  return (
    <div className="stack">
      <p className="quiet">{t("forget.about")}</p>
      <TextInput
        data-autofocus
        label={t("confirm.type", { name })}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
      />
      <Row>
        <Action
          color="danger"
          busy={forgetting.isPending}
          refusal={typed === name ? undefined : t("confirm.type", { name })}
          onClick={() => forgetting.mutate()}
        >
          {t("forget.do")}
        </Action>
      </Row>
    </div>
  );
}
