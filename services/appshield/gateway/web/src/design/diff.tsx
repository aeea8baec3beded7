/// The lines of a diff, told apart by their sign and their colour.
import { useTranslate } from "@/i18n/language";
import classes from "./diff.module.css";
import { ScrollArea } from "./scroll-area";

const SIDES: Readonly<Record<string, string>> = { "+": "added", "-": "removed", "@": "place" };

export function Diff({ lines, label }: { lines: readonly string[]; label: string }) {
  const t = useTranslate();
  if (lines.length === 0) return <p className="quiet">{t("diff.same")}</p>;
  return (
    <ScrollArea className={classes.diff} aria-label={label}>
      <ol className={classes.lines}>
        {lines.map((line, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place; nothing moves
          <li key={at} data-side={SIDES[line[0] ?? ""]}>
            {line}
          </li>
        ))}
      </ol>
    </ScrollArea>
  );
}
