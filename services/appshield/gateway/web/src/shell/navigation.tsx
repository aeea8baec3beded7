/// Where one can go.
import { Link, useRouterState } from "@tanstack/react-router";
import { Icon, type IconName } from "@/design/icons";
import { useTranslate } from "@/i18n/language";
import type { MessageKey } from "@/i18n/messages";
import classes from "./navigation.module.css";

export interface Place {
  to: "/" | "/runs" | "/policies" | "/vaults" | "/reports" | "/audit";
  text: MessageKey;
  icon: IconName;
}

export const PLACES: readonly Place[] = [
  { to: "/", text: "nav.overview", icon: "overview" },
  { to: "/runs", text: "nav.runs", icon: "runs" },
  { to: "/policies", text: "policies.title", icon: "policies" },
  { to: "/vaults", text: "vaults.title", icon: "vaults" },
  { to: "/reports", text: "reports.title", icon: "reports" },
  { to: "/audit", text: "audit.title", icon: "audit" },
];

export function Navigation() {
  const t = useTranslate();
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  return (
    <nav aria-label={t("nav.label")}>
      <ul className={classes.list}>
        {PLACES.map(({ to, text, icon }) => (
          <li key={to}>
            <Link
              to={to}
              className={classes.link}
              data-within={holds(to, pathname) || undefined}
              activeOptions={{ exact: to === "/", includeSearch: false }}
            >
              <Icon name={icon} />
              {t(text)}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/// Pages whose address does not begin with that of the place to which they belong.
const WITHIN: readonly (readonly [Place["to"], string])[] = [
  ["/", "/applications/"],
  ["/", "/documents/Application/"],
  ["/policies", "/documents/Policy/"],
  ["/vaults", "/documents/Vault/"],
];

const holds = (to: Place["to"], pathname: string): boolean =>
  WITHIN.some(([place, beginning]) => place === to && pathname.startsWith(beginning));
