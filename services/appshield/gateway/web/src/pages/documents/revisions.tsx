/// What a document said before, and what changed from one time to the next.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type DocumentPlace, type Revision, revisionChanges, revisions } from "@/api/documents";
import { Diff } from "@/design/diff";
import { Empty, Loaded } from "@/design/states";
import { Tag } from "@/design/status";
import { Day } from "@/design/values";
import { useTranslate } from "@/i18n/language";
import classes from "./documents.module.css";

export function Revisions({ place }: { place: DocumentPlace }) {
  const t = useTranslate();
  const query = useQuery(revisions(place));
  return (
    <Loaded query={query} lines={4}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title={t("revisions.none")} icon="policies">
            {t("revisions.none.next")}
          </Empty>
        ) : (
          <ol className={classes.findings}>
            {items.map((one, at) => (
              <One
                key={one.revision.digest}
                place={place}
                revision={one}
                before={items[at + 1]?.revision.digest}
              />
            ))}
          </ol>
        )
      }
    </Loaded>
  );
}

interface OneProps {
  place: DocumentPlace;
  revision: Revision;
  before: string | undefined;
}

function One({ place, revision: { revision, in_force, versions }, before }: OneProps) {
  const t = useTranslate();
  const [opened, setOpened] = useState(false);
  return (
    <li>
      <div className={classes.place}>
        <strong>{t("revisions.generation", { count: revision.generation })}</strong>
        <Day at={revision.since} />
        {in_force && <Tag tone="good">{t("revisions.in-force")}</Tag>}
      </div>
      <p className="quiet">
        <code className="mono">{revision.digest.slice(0, 12)}</code>
        {versions.length > 0 && ` · ${t("revisions.versions", { count: versions.length })}`}
      </p>
      {before && (
        <Button
          variant="subtle"
          size="compact-xs"
          aria-expanded={opened}
          onClick={() => setOpened(!opened)}
        >
          {t("revisions.changes")}
        </Button>
      )}
      {opened && before && <Changes place={place} from={before} to={revision.digest} />}
    </li>
  );
}

function Changes({ place, from, to }: { place: DocumentPlace; from: string; to: string }) {
  const t = useTranslate();
  const query = useQuery(revisionChanges(place, from, to));
  return (
    <Loaded query={query} lines={3}>
      {({ lines }) => <Diff lines={lines.slice(2)} label={t("revisions.changes")} />}
    </Loaded>
  );
}
