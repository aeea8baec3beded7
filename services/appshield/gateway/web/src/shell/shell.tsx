/// The frame around every page: where one can go, what is live, who one is.
import { ActionIcon, Drawer } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { Suspense, useEffect, useRef } from "react";
import { Brand, Icon } from "@/design/icons";
import { Loading } from "@/design/states";
import { useTranslate } from "@/i18n/language";
import { Connection } from "./connection";
import { LiveMark } from "./live-mark";
import { Navigation } from "./navigation";
import { Palette } from "./palette";
import { Preferences } from "./preferences";
import { Printed } from "./printed";
import classes from "./shell.module.css";

export function Shell() {
  const t = useTranslate();
  const [menu, { open: openMenu, close: closeMenu }] = useDisclosure();
  const [palette, { open: openPalette, close: closePalette }] = useDisclosure();
  const pathname = useRouterState({ select: (state) => state.location.pathname });
  useHotkeys([
    ["mod+K", openPalette],
    ["/", openPalette],
  ]);
  const content = useRef<HTMLElement>(null);
  const shown = useRef(pathname);
  // Another page begins at its beginning, also for those who go by keyboard or hear it.
  useEffect(() => {
    if (shown.current === pathname) return;
    shown.current = pathname;
    closeMenu();
    content.current?.focus({ preventScroll: true });
  }, [pathname, closeMenu]);

  return (
    <div className={classes.shell}>
      <a href="#content" className={classes.skip}>
        {t("shell.skip")}
      </a>
      <header className={classes.top}>
        <ActionIcon
          className={classes.burger}
          variant="subtle"
          color="gray"
          aria-label={t("shell.menu")}
          aria-expanded={menu}
          onClick={openMenu}
        >
          <Icon name="menu" />
        </ActionIcon>
        <Link to="/" className={classes.brand}>
          <Brand />
          <span>AppShield</span>
        </Link>
        <button type="button" className={classes.search} onClick={openPalette}>
          <Icon name="search" />
          <span>{t("shell.search")}</span>
          <kbd>{isApple() ? "⌘K" : "Ctrl K"}</kbd>
        </button>
        <LiveMark />
        <Preferences />
      </header>
      <aside className={classes.side}>
        <Navigation />
      </aside>
      <Drawer opened={menu} onClose={closeMenu} size={260} title="AppShield">
        <Navigation />
      </Drawer>
      <main className={classes.main} id="content" tabIndex={-1} ref={content}>
        <Printed />
        <Connection />
        <Suspense fallback={<Loading lines={8} />}>
          <Outlet />
        </Suspense>
      </main>
      <Palette opened={palette} close={closePalette} />
    </div>
  );
}

function isApple(): boolean {
  return /Mac|iPhone|iPad/.test(navigator.platform);
}
