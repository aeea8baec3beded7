/// Versions on a line of time: how large each is, how much of it was new, and what it is.
import { useMemo } from "react";
import type { VersionSummary } from "@/api/types";
import { TimeChart } from "@/design/time-chart";
import { useFormats, useTranslate } from "@/i18n/language";

export function VersionsChart({ versions }: { versions: readonly VersionSummary[] }) {
  const t = useTranslate();
  const formats = useFormats();
  /// Oldest first, as the chart wants them.
  const sorted = useMemo(
    () => [...versions].sort((one, other) => one.number - other.number),
    [versions],
  );
  const lines = useMemo(
    () => ({
      times: sorted.map(({ cut_at }) => Date.parse(cut_at) / 1_000),
      series: [
        { name: t("versions.size"), values: sorted.map(({ read_bytes }) => read_bytes) },
        { name: t("versions.new"), values: sorted.map(({ stored_bytes }) => stored_bytes) },
      ],
    }),
    [sorted, t],
  );

  function describe(at: number): string {
    const version = sorted[at];
    if (!version) return "";
    const { number, cut_at, read_bytes, stored_bytes, trigger, verified_at, pinned } = version;
    const words = [
      `v${number}`,
      formats.day(new Date(cut_at)),
      t(`trigger.${trigger}`),
      formats.size(read_bytes),
      `+${formats.size(stored_bytes)}`,
      verified_at && t("versions.verified"),
      pinned && t("versions.pinned"),
    ];
    return words.filter(Boolean).join(" · ");
  }

  return (
    <TimeChart
      label={t("versions.chart", { count: versions.length })}
      format={formats.size}
      describe={describe}
      {...lines}
    />
  );
}
