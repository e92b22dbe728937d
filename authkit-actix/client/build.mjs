// Builds what others build on: the module that the Rust library embeds, the showcase's React page,
// and with `--package` the npm package. With `--check` nothing is written: what is committed has to
// be what the sources give.

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const LARGEST = 6 * 1024;

const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  loader: { ".css": "text" },
  jsx: "automatic",
  absWorkingDir: here("."),
  logLevel: "warning",
};

const committed = [
  {
    output: here("../src/web/client.js"),
    options: { ...common, entryPoints: ["src/served.ts"], minify: true },
    check: (text) => {
      const size = gzipSync(text).length;
      console.log(`client.js: ${size} bytes gzipped`);
      if (size > LARGEST) throw new Error(`client.js has ${size} bytes gzipped, more than ${LARGEST}`);
    },
  },
  {
    output: here("../../examples/showcase/react/page.js"),
    options: {
      ...common,
      entryPoints: ["../../examples/showcase/react/page.tsx"],
      alias: { "authkit-actix-client/react": here("src/react.tsx") },
      nodePaths: [here("node_modules")],
      define: { "process.env.NODE_ENV": '"production"' },
      legalComments: "eof",
      minify: true,
    },
  },
];

if (process.argv.includes("--package")) {
  rmSync(here("dist"), { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: ["src/index.ts", "src/elements.ts", "src/react.tsx"],
    external: ["react", "react/jsx-runtime"],
    splitting: true,
    outdir: "dist",
  });
  const types = spawnSync("tsc", ["--emitDeclarationOnly"], { cwd: here("."), stdio: "inherit" });
  if (types.status !== 0) process.exit(1);
} else {
  const isCheck = process.argv.includes("--check");
  for (const { output, options, check } of committed) {
    const { outputFiles } = await build({ ...options, write: false });
    const text = outputFiles[0].text;
    check?.(text);
    const before = readIfThere(output);
    if (before === text) continue;
    if (isCheck) throw new Error(`${output} is not what its sources give: npm run build`);
    writeFileSync(output, text);
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
