/// Where the interface begins: what every page needs, then the page that the address names.
import "./design/tokens.css";
import "@mantine/core/styles.layer.css";
import "@mantine/notifications/styles.layer.css";
import { localStorageColorSchemeManager, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Live } from "./api/live";
import { isSignedOut, ProblemError } from "./api/problems";
import { printInLight } from "./design/printing";
import { theme } from "./design/theme";
import { LanguageProvider } from "./i18n/language";
import { LiveContext } from "./shell/live";
import { routerOf } from "./shell/router";
import { styleNonce } from "./shell/style-nonce";

const RETRIES_MAX = 2;

/// Whatever is answered so, the session has ended, for all that is on the screen.
const onError = (error: Error) => {
  if (isSignedOut(error)) live.end();
};
const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    // A machine without a network still reaches itself, and what cannot be reached has to say so.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      // What the API has refused it refuses again; only silence and overload are worth another try.
      // After an interruption all is asked for again anyway.
      retry: (failures, error) =>
        failures < RETRIES_MAX &&
        live.current() !== "interrupted" &&
        error instanceof ProblemError &&
        (error.status === 0 || error.status >= 500),
    },
  },
});
const live = new Live(client);
const router = routerOf(client);
const nonce = styleNonce();
const schemes = localStorageColorSchemeManager({ key: "appshield.theme" });

function Interface() {
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      colorSchemeManager={schemes}
      getStyleNonce={() => nonce}
    >
      <LanguageProvider>
        <QueryClientProvider client={client}>
          <LiveContext.Provider value={live}>
            <RouterProvider router={router} />
            <Notifications position="bottom-right" />
          </LiveContext.Provider>
        </QueryClientProvider>
      </LanguageProvider>
    </MantineProvider>
  );
}

printInLight();
const place = document.getElementById("root");
if (place === null) throw new Error("index.html has no #root");
createRoot(place).render(
  <StrictMode>
    <Interface />
  </StrictMode>,
);
