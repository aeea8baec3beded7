/// The build: hashed names, one chunk a page, each file compressed beside itself.
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { precompress } from "./precompress.ts";

const gateway = process.env.APPSHIELD_GATEWAY ?? "http://127.0.0.1:8460";

export default defineConfig({
  plugins: [react(), precompress()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2022",
    // Everything comes from files of our own: nothing inline that a policy would have to allow.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/api": gateway } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
