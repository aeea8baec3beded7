/// Pages that stand where a page should be.
import { Button } from "@mantine/core";
import { useWindowEvent } from "@mantine/hooks";
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { Page } from "@/design/page";
import { Empty, Failed } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { useLiveState } from "./live";

export function NotFound() {
  const t = useTranslate();
  return (
    <Page title={t("not-found.title")}>
      <Empty
        title={t("not-found.what")}
        icon="search"
        action={
          <Button component={Link} to="/">
            {t("not-found.next")}
          </Button>
        }
      />
    </Page>
  );
}

export function PageFailed({ error }: ErrorComponentProps) {
  const router = useRouter();
  const t = useTranslate();
  const state = useLiveState();
  const failed = useRef(false);
  // Once AppShield answers again, the page is tried again by itself.
  useEffect(() => {
    if (state !== "live") failed.current = true;
    else if (failed.current) void router.invalidate();
  }, [state, router]);
  useWindowEvent("online", () => void router.invalidate());
  return (
    <Page title={t("error.page")}>
      <Failed error={asError(error)} again={() => void router.invalidate()} />
    </Page>
  );
}

/// Anything can be thrown; a page can tell of errors only.
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
