/// Versions on a line of time: how large each is, and how much of it was new.
import { useMemo } from "react";
import type { VersionSummary } from "@/api/types";
import { TimeChart } from "@/design/time-chart";
import { useFormats, useTranslate } from "@/i18n/language";

export function VersionsChart({ versions }: { versions: readonly VersionSummary[] }) {
  const t = useTranslate();
  const formats = useFormats();
  const data = useMemo(
    () => dataOf(versions, t("versions.size"), t("versions.new")),
    [versions, t],
  );
  return (
    <TimeChart
      label={t("versions.chart", { count: versions.length })}
      format={formats.size}
      {...data}
    />
  );
}

/// Oldest first, as the chart wants them.
function dataOf(versions: readonly VersionSummary[], size: string, fresh: string) {
  const sorted = [...versions].sort((one, other) => one.number - other.number);
  return {
    times: sorted.map(({ cut_at }) => Date.parse(cut_at) / 1_000),
    first: { name: size, values: sorted.map(({ read_bytes }) => read_bytes) },
    second: { name: fresh, values: sorted.map(({ stored_bytes }) => stored_bytes) },
  };
}
