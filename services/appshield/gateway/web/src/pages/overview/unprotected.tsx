/// Workloads that nothing protects, each with a document that would, one click away.
import { Button, Modal } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { proposal, unprotected } from "@/api/queries";
import type { Unprotected } from "@/api/types";
import { Icon } from "@/design/icons";
import { Panel, Row } from "@/design/page";
import { ScrollArea } from "@/design/scroll-area";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./unprotected.module.css";

const SHOWN_MAX = 6;

export function UnprotectedPanel() {
  const t = useTranslate();
  const formats = useFormats();
  const query = useQuery(unprotected);
  const [namespace, setNamespace] = useState("");
  return (
    <Panel
      title={t("unprotected.title")}
      count={query.data ? formats.number(query.data.total) : ""}
      flush
    >
      <Loaded query={query} lines={3}>
        {({ items, total }) =>
          items.length === 0 ? (
            <Empty title={t("unprotected.none")} icon="verified" />
          ) : (
            <>
              <ul className={classes.list}>
                {items.slice(0, SHOWN_MAX).map((one) => (
                  <Line
                    key={`${one.namespace}/${one.kind}/${one.name}`}
                    workload={one}
                    protect={() => setNamespace(one.namespace)}
                  />
                ))}
              </ul>
              {total > SHOWN_MAX && (
                <p className={classes.more}>
                  {t("unprotected.more", { count: total - SHOWN_MAX })}
                </p>
              )}
            </>
          )
        }
      </Loaded>
      <Modal
        opened={namespace !== ""}
        onClose={() => setNamespace("")}
        title={t("unprotected.proposal", { namespace })}
        size={760}
      >
        {namespace && <Proposal namespace={namespace} />}
      </Modal>
    </Panel>
  );
}

function Line({ workload, protect }: { workload: Unprotected; protect: () => void }) {
  const t = useTranslate();
  const { namespace, kind, name, profile, keeps_data } = workload;
  return (
    <li className={classes.line}>
      <span className={classes.what}>
        <strong>
          {namespace}/{name}
        </strong>
        <span className="quiet">{profile || kind}</span>
        {keeps_data && <Tag tone="warn">{t("unprotected.data")}</Tag>}
      </span>
      <Button
        variant="light"
        onClick={protect}
        aria-label={t("unprotected.protect-it", { name: `${namespace}/${name}` })}
      >
        {t("unprotected.protect")}
      </Button>
    </li>
  );
}

function Proposal({ namespace }: { namespace: string }) {
  const t = useTranslate();
  const clipboard = useClipboard();
  const query = useQuery(proposal(namespace));
  return (
    <Loaded query={query} lines={8}>
      {({ text }) => (
        <>
          <p className="quiet">{t("unprotected.about")}</p>
          <ScrollArea className={classes.document} aria-label={t("unprotected.document")}>
            <pre>{text}</pre>
          </ScrollArea>
          <Row>
            <Button
              variant="default"
              leftSection={<Icon name="copy" size={14} />}
              onClick={() => clipboard.copy(text)}
            >
              {clipboard.copied ? t("unprotected.copied") : t("unprotected.copy")}
            </Button>
          </Row>
        </>
      )}
    </Loaded>
  );
}
