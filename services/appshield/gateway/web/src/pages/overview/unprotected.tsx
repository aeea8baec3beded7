/// Workloads that nothing protects, each with a document that would.
import { Button, Modal } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ask } from "@/api/client";
import { useCommand } from "@/api/commands";
import { useRefusal } from "@/api/permissions";
import { keys, unprotected } from "@/api/queries";
import type { Unprotected } from "@/api/types";
import { Action } from "@/design/action";
import { Icon } from "@/design/icons";
import { Panel, Row } from "@/design/page";
import { ScrollArea } from "@/design/scroll-area";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { type Column, Table } from "@/design/table";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./unprotected.module.css";

export function UnprotectedPanel() {
  const t = useTranslate();
  const formats = useFormats();
  const query = useQuery(unprotected);
  const [shown, setShown] = useState<Unprotected | null>(null);
  const columns: Column<Unprotected>[] = [
    {
      name: "namespace",
      title: t("unprotected.namespace"),
      cell: (one) => <strong>{one.namespace}</strong>,
    },
    {
      name: "workloads",
      title: t("unprotected.workloads"),
      cell: (one) => (
        <Row>
          {one.workloads.map(({ kind, name }) => (
            <Tag key={`${kind}/${name}`}>
              {kind}/{name}
            </Tag>
          ))}
        </Row>
      ),
    },
    {
      name: "proposal",
      title: "",
      cell: (one) => (
        <Button variant="light" onClick={() => setShown(one)}>
          {t("unprotected.protect")}
        </Button>
      ),
    },
  ];
  return (
    <Panel
      title={t("unprotected.title")}
      count={query.data ? formats.number(query.data.total) : ""}
      flush
    >
      <Loaded query={query} lines={3}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("unprotected.none")} icon="verified" />
          ) : (
            <Table
              caption={t("unprotected.title")}
              columns={columns}
              records={items}
              id={(one) => one.namespace}
            />
          )
        }
      </Loaded>
      <Modal
        opened={shown !== null}
        onClose={() => setShown(null)}
        title={shown && t("unprotected.proposal", { namespace: shown.namespace })}
        size={760}
      >
        {shown && <Proposal proposed={shown} close={() => setShown(null)} />}
      </Modal>
    </Panel>
  );
}

function Proposal({ proposed, close }: { proposed: Unprotected; close: () => void }) {
  const t = useTranslate();
  const clipboard = useClipboard();
  const refusal = useRefusal(proposed.namespace);
  const applying = useCommand({
    run: () => applied(proposed),
    taken: () => t("unprotected.applied", { namespace: proposed.namespace }),
    done: close,
    changes: [keys.unprotected, keys.applications],
  });
  return (
    <>
      <p className={classes.about}>{t("unprotected.about")}</p>
      <ScrollArea className={classes.document} aria-label={t("unprotected.document")}>
        <pre>{proposed.document}</pre>
      </ScrollArea>
      <Row>
        <Action
          onClick={() => applying.mutate()}
          busy={applying.isPending}
          refusal={refusal("back-up")}
        >
          {t("unprotected.apply")}
        </Action>
        <Button
          variant="default"
          leftSection={<Icon name="copy" size={14} />}
          onClick={() => clipboard.copy(proposed.document)}
        >
          {clipboard.copied ? t("unprotected.copied") : t("unprotected.copy")}
        </Button>
      </Row>
    </>
  );
}

async function applied({ namespace, name, document }: Unprotected): Promise<void> {
  await ask(`/documents/applications/${namespace}/${name}`, { method: "PUT", body: document });
}
