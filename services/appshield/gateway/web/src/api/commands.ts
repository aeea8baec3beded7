/// What a person can ask for. Each answers at once; how far it is comes by the stream of events.
import { notifications } from "@mantine/notifications";
import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslate } from "@/i18n/language";
import { command, path } from "./client";
import { toldOf } from "./problem-words";
import type { Started } from "./types";

export const backUp = (
  namespace: string,
  name: string,
  body: { rule?: string; reason?: string } = {},
) => command<Started>(path`/applications/${namespace}/${name}/backups`, body);

export const pauseApplication = (namespace: string, name: string, reason: string) =>
  command<void>(path`/applications/${namespace}/${name}/pause`, { reason });

export const resumeApplication = (namespace: string, name: string) =>
  command<void>(path`/applications/${namespace}/${name}/resume`);

export const cancelRun = (run: string) => command<void>(path`/runs/${run}/cancel`);

export const approveRun = (run: string) => command<void>(path`/runs/${run}/approve`);

interface Commanding<Given, Result> {
  run: (given: Given) => Promise<Result>;
  /// What the person is told when it was taken.
  taken?: (result: Result) => string;
  done?: (result: Result) => void;
  /// The answers that it makes old.
  changes?: readonly QueryKey[];
}

/// Carry a command out, tell the person how that went, and ask again for what it changed.
export function useCommand<Given = void, Result = unknown>(commanding: Commanding<Given, Result>) {
  const client = useQueryClient();
  const t = useTranslate();
  return useMutation({
    mutationFn: commanding.run,
    onSuccess: (result) => {
      const message = commanding.taken?.(result);
      if (message) notifications.show({ message, color: "tide" });
      commanding.done?.(result);
    },
    onError: (error) => {
      const { title, why, next } = toldOf(error, t);
      notifications.show({
        title,
        message: [why, next?.text].filter(Boolean).join(" "),
        color: "red",
        autoClose: 12_000,
      });
    },
    onSettled: () => {
      for (const queryKey of commanding.changes ?? []) void client.invalidateQueries({ queryKey });
    },
  });
}
