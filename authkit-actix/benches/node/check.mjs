// What one check costs authkit-nextjs, by `authkit()` and by the `authkitProxy()` around it, and what one costs
// this library, in turn and on the same session, which `cargo bench --bench compare -- --for-node` makes. Prints
// JSON, in microseconds.
//
// The time is that of all threads of the process, since Node leaves its cryptography to others. The keys
// are fetched once; the signature is verified with every check, as these functions do.
//
//     npm ci
//     npm run --silent check > node.json

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { registerHooks } from "node:module";
import { createInterface } from "node:readline";

// What Next's bundler does for its server: names without their ending, and an empty `server-only`.
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "server-only") return { url: "data:text/javascript,", shortCircuit: true };
    return next(/^next\/[a-z]+$/.test(specifier) ? `${specifier}.js` : specifier, context);
  },
});

const compare = ["bench", "--locked", "--quiet", "--package", "authkit-actix", "--bench", "compare"];
const ours = spawn("cargo", [...compare, "--", "--for-node"], { stdio: ["pipe", "pipe", "inherit"] });
const lines = createInterface({ input: ours.stdout })[Symbol.asyncIterator]();
const next = async () => (await lines.next()).value;
const { client_id, jwks, session } = JSON.parse(await next());

const workos = createServer((_, response) => {
  response.setHeader("content-type", "application/json");
  response.end(jwks);
});
await new Promise((listening) => workos.listen(0, "127.0.0.1", listening));

Object.assign(process.env, {
  NODE_ENV: "production",
  WORKOS_API_HOSTNAME: "127.0.0.1",
  WORKOS_API_HTTPS: "false",
  WORKOS_API_PORT: String(workos.address().port),
  WORKOS_API_KEY: "sk_test_benchmark",
  WORKOS_CLIENT_ID: client_id,
  WORKOS_COOKIE_PASSWORD: "a cookie password of the benchmarks",
  NEXT_PUBLIC_WORKOS_REDIRECT_URI: "http://localhost:3000/callback",
});
const { authkit, authkitProxy } = await import("@workos-inc/authkit-nextjs");
const { sealData } = await import("iron-session");
const { NextRequest } = await import("next/server.js");

// The same members under the names that authkit-nextjs gives them.
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const renamed = (value) =>
  value && typeof value === "object"
    ? Object.fromEntries(Object.entries(value).map(([name, member]) => [camel(name), renamed(member)]))
    : value;
const sealed = await sealData(renamed(session), { password: process.env.WORKOS_COOKIE_PASSWORD, ttl: 0 });
const headers = { cookie: `wos-session=${sealed}` };

const request = () => new NextRequest("http://localhost:3000/account", { headers });
const proxy = authkitProxy();
const functions = {
  async authkit() {
    const { session } = await authkit(request());
    if (!session.user?.email) throw new Error("the session did not open");
  },
  async authkitProxy() {
    const response = await proxy(request());
    if (!response.headers.get("x-middleware-request-x-workos-session")) throw new Error("the session did not open");
  },
};

const time = {
  async ours() {
    ours.stdin.write("\n");
    return Number(await next()) / 1000;
  },
};
const checks = 500;
for (const [name, check] of Object.entries(functions)) {
  time[name] = async () => {
    const before = process.cpuUsage();
    for (let i = 0; i < checks; i += 1) await check();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / checks;
  };
  // For the compiler.
  for (let i = 0; i < 4; i += 1) await time[name]();
}

const rounds = 21;
const samples = { authkit: [], authkitProxy: [], ours: [] };
for (let round = 0; round < rounds; round += 1) {
  for (const [name, of] of Object.entries(samples)) of.push(await time[name]());
}
samples.ratio = samples.authkit.map((theirs, round) => theirs / samples.ours[round]);
const spread = (of) => {
  const sorted = of.toSorted((a, b) => a - b);
  return { median: sorted[(rounds - 1) / 2], least: sorted[0], most: sorted[rounds - 1] };
};
const version = (name) =>
  JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
console.log(
  JSON.stringify({
    node: process.version,
    "authkit-nextjs": version("@workos-inc/authkit-nextjs"),
    next: version("next"),
    cookie_bytes: sealed.length,
    ...Object.fromEntries(Object.entries(samples).map(([name, of]) => [name, spread(of)])),
  }),
);
ours.stdin.end();
workos.close();
process.exit(0);
