/// What the services said about a run.
import { useQuery } from "@tanstack/react-query";
import { logs } from "@/api/queries";
import type { LogLine } from "@/api/types";
import { Panel } from "@/design/page";
import { ScrollArea } from "@/design/scroll-area";
import { Empty, Loaded } from "@/design/states";
import { useFormats, useTranslate } from "@/i18n/language";
import classes from "./run.module.css";

export function Logs({ run }: { run: string }) {
  const t = useTranslate();
  const query = useQuery(logs(run));
  return (
    <Panel title={t("logs.title")} flush>
      <Loaded query={query} lines={3}>
        {(lines) => {
          if (lines.length === 0) return <None />;
          return (
            <ScrollArea className={classes.logs} aria-label={t("logs.title")}>
              <ol>
                {lines.map((line) => (
                  <Line key={`${line.at} ${line.service} ${line.event}`} line={line} />
                ))}
              </ol>
            </ScrollArea>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function None() {
  const t = useTranslate();
  return (
    <Empty title={t("logs.none")} icon="runs">
      {t("logs.none.why")}
    </Empty>
  );
}

function Line({ line }: { line: LogLine }) {
  const formats = useFormats();
  const at = new Date(line.at);
  const fields = Object.entries(line.fields ?? {}).map(([name, value]) => `${name}=${value}`);
  return (
    <li data-level={line.level}>
      <time dateTime={line.at} title={formats.exact(at)} className="quiet">
        {formats.time(at)}
      </time>
      <span>{line.service}</span>
      <span lang="en">
        {line.event} <span className="quiet">{fields.join(" ")}</span>
      </span>
    </li>
  );
}
