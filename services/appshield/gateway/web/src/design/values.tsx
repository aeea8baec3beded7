/// Values as people read them, each with its exact form where that differs.
import { useFormats, useTranslate } from "@/i18n/language";
import { useNow } from "./now";

/// How long ago, or in how long; the exact moment shows when one points at it.
export function Moment({ at }: { at: string | null | undefined }) {
  const formats = useFormats();
  const now = useNow();
  if (!at) return <span className="quiet">–</span>;
  const moment = new Date(at);
  return (
    <time dateTime={at} title={formats.exact(moment)} className="numbers">
      {formats.relative(moment, now)}
    </time>
  );
}

/// The day and the minute; to the second when one points at it.
export function Day({ at }: { at: string }) {
  const formats = useFormats();
  const moment = new Date(at);
  return (
    <time dateTime={at} title={formats.exact(moment)} className="numbers">
      {formats.day(moment)}
    </time>
  );
}

export function Size({ bytes }: { bytes: number }) {
  const formats = useFormats();
  const t = useTranslate();
  return (
    <span className="numbers" title={t("value.bytes", { count: bytes })}>
      {formats.size(bytes)}
    </span>
  );
}

export function Duration({ seconds }: { seconds: number | null | undefined }) {
  const formats = useFormats();
  if (seconds === null || seconds === undefined) return <span className="quiet">–</span>;
  return <span className="numbers">{formats.duration(seconds)}</span>;
}

/// How long something took, or has taken so far.
export function Elapsed({
  since,
  until,
}: {
  since: string | null | undefined;
  until?: string | null | undefined;
}) {
  const now = useNow();
  if (!since) return <span className="quiet">–</span>;
  const end = until ? new Date(until) : now;
  return <Duration seconds={Math.max(0, (end.getTime() - Date.parse(since)) / 1_000)} />;
}

/// For how long something has been so by now, in seconds.
export function useAge(since: string | null | undefined): number {
  const now = useNow();
  return since ? Math.max(0, (now.getTime() - Date.parse(since)) / 1_000) : 0;
}
