/// How fast a step is and when it will be done, from what was told of it lately. Pure.
import type { StepProgress } from "@/api/types";

export interface Sample {
  at_ms: number;
  bytes: number;
}

export interface Speed {
  share: number | undefined;
  rate: number | undefined;
  left_s: number | undefined;
}

/// Older samples than this say little about how fast it is now.
const WINDOW_MS = 10_000;

export function remembered(samples: readonly Sample[], sample: Sample): Sample[] {
  const last = samples.at(-1);
  // Begun again, or told twice.
  if (last && sample.bytes < last.bytes) return [sample];
  if (last && sample.at_ms <= last.at_ms) return [...samples];
  return [...samples.filter(({ at_ms }) => sample.at_ms - at_ms <= WINDOW_MS), sample];
}

export function speedOf(samples: readonly Sample[], progress: StepProgress): Speed {
  const [first, last] = [samples[0], samples.at(-1)];
  const took_s = first && last ? (last.at_ms - first.at_ms) / 1_000 : 0;
  const rate = first && last && took_s > 0 ? (last.bytes - first.bytes) / took_s : undefined;
  const total = progress.bytes_total ?? 0;
  if (total === 0) return { share: undefined, rate, left_s: undefined };
  const left = Math.max(0, total - progress.bytes_done);
  return {
    share: Math.min(1, progress.bytes_done / total),
    rate,
    left_s: rate ? left / rate : undefined,
  };
}
