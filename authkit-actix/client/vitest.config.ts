import { readFileSync } from "node:fs";

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { environment: "happy-dom", environmentOptions: { happyDOM: { url: "https://app.example.com/here?x=1" } } },
  plugins: [
    {
      name: "css-as-text",
      enforce: "pre",
      load(id) {
        if (!id.endsWith(".css")) return;
        return `export default ${JSON.stringify(readFileSync(id, "utf8"))}`;
      },
    },
  ],
});
