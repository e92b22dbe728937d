// What one check costs authkit-nextjs, by `authkit()` and by the `authkitProxy()` around it, on the session
// that `cargo bench --bench compare -- --session FILE` writes. Prints JSON.
//
// The time is that of all threads of the process, since Node leaves its cryptography to others. The keys
// are fetched once; the signature is verified with every check, as these functions do.
//
//     npm ci
//     npm run --silent check -- FILE > node.json

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { registerHooks } from "node:module";

// What Next's bundler does for its server: names without their ending, and an empty `server-only`.
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "server-only") return { url: "data:text/javascript,", shortCircuit: true };
    return next(/^next\/[a-z]+$/.test(specifier) ? `${specifier}.js` : specifier, context);
  },
});

const { client_id, jwks, session } = JSON.parse(readFileSync(process.argv[2], "utf8"));

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

const [rounds, checks] = [21, 500];
const results = {};
for (const [name, check] of Object.entries(functions)) {
  for (let i = 0; i < 4 * checks; i += 1) await check();
  const samples = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    for (let i = 0; i < checks; i += 1) await check();
    const { user, system } = process.cpuUsage(before);
    samples.push((user + system) / checks);
  }
  samples.sort((a, b) => a - b);
  results[name] = { median: samples[(rounds - 1) / 2], least: samples[0], most: samples[rounds - 1] };
}
const version = (name) =>
  JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
console.log(
  JSON.stringify({
    node: process.version,
    "authkit-nextjs": version("@workos-inc/authkit-nextjs"),
    next: version("next"),
    cookie_bytes: sealed.length,
    ...results,
  }),
);
workos.close();
process.exit(0);
