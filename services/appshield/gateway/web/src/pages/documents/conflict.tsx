/// Somebody else has changed the document meanwhile: what differs, and what to do about it.
import { Button } from "@mantine/core";
import { Diff } from "@/design/diff";
import { lineDiff } from "@/design/line-diff";
import { Note } from "@/design/note";
import { Row } from "@/design/page";
import { useTranslate } from "@/i18n/language";
import classes from "./documents.module.css";
import type { Saved } from "./saved";

interface ConflictProps {
  mine: string;
  theirs: Saved;
  overwrite: () => void;
  take: () => void;
}

export function Conflict({ mine, theirs, overwrite, take }: ConflictProps) {
  const t = useTranslate();
  return (
    <div className={classes.conflict} role="alert">
      <Note tone="warn" icon="copy" title={t("conflict.title")}>
        <p>{t("conflict.about")}</p>
      </Note>
      <Diff lines={lineDiff(theirs.text, mine)} label={t("revisions.changes")} />
      <Row>
        <Button color="danger" onClick={overwrite}>
          {t("conflict.overwrite")}
        </Button>
        <Button variant="default" onClick={take}>
          {t("conflict.take")}
        </Button>
      </Row>
    </div>
  );
}
