/// A link whose target the browser saves as a file; without the right it says why not instead.
import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { Action } from "./action";
import { Icon } from "./icons";

interface DownloadLinkProps {
  href: string;
  children: ReactNode;
  refusal?: string | undefined;
  /// For lines of a table.
  subtle?: boolean;
}

export function DownloadLink({ href, children, refusal, subtle }: DownloadLinkProps) {
  const look = { variant: subtle ? "subtle" : "default", icon: <Icon name="download" size={14} /> };
  if (refusal) {
    return (
      <Action variant={look.variant} icon={look.icon} refusal={refusal}>
        {children}
      </Action>
    );
  }
  return (
    <Button component="a" href={href} download variant={look.variant} leftSection={look.icon}>
      {children}
    </Button>
  );
}
