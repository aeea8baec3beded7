/// Which page an address shows. Each page is loaded when somebody goes there.

import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { loaded } from "@/api/parts";
import { isSignedOut } from "@/api/problems";
import { me } from "@/api/queries";
import { LOGIN_CODE } from "@/pages/login/code";
import { askAhead } from "@/pages/overview/asked";
import { given, texts } from "./addresses";
import { NotFound, PageFailed } from "./failures";
import { Shell } from "./shell";

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NotFound });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>) => {
    const { next = "", problem } = texts(["next", "problem"])(search);
    const safe = next.startsWith("/") && !next.startsWith("//");
    return given({ next: safe ? next : undefined, problem });
  },
  component: lazyRouteComponent(() => loaded(() => import("@/pages/login/login")), "LoginPage"),
});

/// Everything that only somebody who is signed in sees.
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  errorComponent: PageFailed,
  beforeLoad: async ({ context, location }) => {
    const { pathname, searchStr, hash } = location;
    const login = { to: "/login", search: { next: pathname + searchStr }, hash, replace: true };
    if (LOGIN_CODE.test(hash)) throw redirect(login);
    try {
      await context.client.ensureQueryData(me);
    } catch (error) {
      if (isSignedOut(error)) throw redirect(login);
      throw error;
    }
  },
});

const overview = createRoute({
  getParentRoute: () => inside,
  path: "/",
  validateSearch: texts(["q", "state", "health", "rpo", "criticality", "sort"]),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => askAhead(context.client, deps),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/overview/overview")),
    "OverviewPage",
  ),
});

const application = createRoute({
  getParentRoute: () => inside,
  path: "/applications/$namespace/$name",
  validateSearch: texts(["tab", "view", "q", "kind", "history"]),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/application/application")),
    "ApplicationPage",
  ),
});

const runs = createRoute({
  getParentRoute: () => inside,
  path: "/runs",
  validateSearch: texts(["kind", "state", "namespace", "name"]),
  component: lazyRouteComponent(() => loaded(() => import("@/pages/runs/runs")), "RunsPage"),
});

const run = createRoute({
  getParentRoute: () => inside,
  path: "/runs/$run",
  component: lazyRouteComponent(() => loaded(() => import("@/pages/runs/run")), "RunPage"),
});

const nowhere = createRoute({ getParentRoute: () => inside, path: "$", component: NotFound });

const version = createRoute({
  getParentRoute: () => inside,
  path: "/applications/$namespace/$name/versions/$number",
  params: {
    parse: ({ number, ...place }) => ({ ...place, number: Number(number) }),
    stringify: ({ number, ...place }) => ({ ...place, number: String(number) }),
  },
  validateSearch: texts(["tab", "history", "path", "q", "with", "what"]),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/version/version")),
    "VersionPage",
  ),
});

const restore = createRoute({
  getParentRoute: () => inside,
  path: "/applications/$namespace/$name/restore",
  validateSearch: texts([
    "version",
    "history",
    "step",
    "target",
    "existing",
    "extra",
    "damaged",
    "paths",
    "check",
  ]),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/restore/restore")),
    "RestorePage",
  ),
});

const policies = createRoute({
  getParentRoute: () => inside,
  path: "/policies",
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/documents/policies")),
    "PoliciesPage",
  ),
});

const document = createRoute({
  getParentRoute: () => inside,
  path: "/documents/$kind/$namespace/$name",
  validateSearch: texts(["tab"]),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/documents/document")),
    "DocumentPage",
  ),
});

const newDocument = createRoute({
  getParentRoute: () => inside,
  path: "/documents/$kind/new",
  validateSearch: texts(["namespace", "tab"]),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/documents/document")),
    "NewDocumentPage",
  ),
});

const vaults = createRoute({
  getParentRoute: () => inside,
  path: "/vaults",
  component: lazyRouteComponent(() => loaded(() => import("@/pages/vaults/vaults")), "VaultsPage"),
});

const vault = createRoute({
  getParentRoute: () => inside,
  path: "/vaults/$vault",
  component: lazyRouteComponent(() => loaded(() => import("@/pages/vaults/vault")), "VaultPage"),
});

const reports = createRoute({
  getParentRoute: () => inside,
  path: "/reports",
  validateSearch: texts(["by", "days"]),
  component: lazyRouteComponent(
    () => loaded(() => import("@/pages/reports/reports")),
    "ReportsPage",
  ),
});

const audit = createRoute({
  getParentRoute: () => inside,
  path: "/audit",
  validateSearch: texts(["actor", "namespace", "action", "outcome", "door", "days"]),
  component: lazyRouteComponent(() => loaded(() => import("@/pages/audit/audit")), "AuditPage"),
});

const tree = root.addChildren([
  login,
  inside.addChildren([
    overview,
    application,
    version,
    restore,
    runs,
    run,
    policies,
    document,
    newDocument,
    vaults,
    vault,
    reports,
    audit,
    nowhere,
  ]),
]);

export function routerOf(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    scrollRestoration: true,
    // Addresses hold texts only, written as anybody would type them.
    parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
    stringifySearch: (search) => {
      const text = new URLSearchParams(search).toString();
      return text && `?${text}`;
    },
    defaultNotFoundComponent: NotFound,
    defaultErrorComponent: PageFailed,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof routerOf>;
  }
}
