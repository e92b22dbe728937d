import { defineConfig } from "vite";

/** Where the Actix application listens while Vite serves the pages. */
const actix = "http://127.0.0.1:3000";

export default defineConfig({
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/authkit", "/callback", "/sign-in", "/sign-up", "/sign-out"].map((path) => [path, actix]),
    ),
  },
});
