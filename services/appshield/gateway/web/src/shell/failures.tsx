/// Pages that stand where a page should be.
import { Button } from "@mantine/core";
import { type ErrorComponentProps, Link, useRouter } from "@tanstack/react-router";
import { Page } from "@/design/page";
import { Empty, Failed } from "@/design/states";
import { useTranslate } from "@/i18n/language";

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
  return (
    <Page title={t("error.other")}>
      <Failed error={asError(error)} again={() => void router.invalidate()} />
    </Page>
  );
}

/// Anything can be thrown; a page can tell of errors only.
function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
