// An application beside ours that shares its session cookie: a small server on
// @workos/authkit-session, and on iron-session as authkit-nextjs uses it.
//
// It is configured by the environment, as those libraries are, and says where it is open.

import { createServer } from 'node:http';
import { CookieSessionStorage, configure, createAuthService } from '@workos/authkit-session';
import { sealData, unsealData } from 'iron-session';

const password = process.env.WORKOS_COOKIE_PASSWORD;
const cookieName = 'wos-session';

function readCookie(request, name) {
  const pairs = (request.headers.cookie ?? '').split('; ').map(pair => pair.split('='));
  const pair = pairs.find(([key]) => key === name);
  return pair ? decodeURIComponent(pair[1]) : null;
}

class Storage extends CookieSessionStorage {
  async getCookie(request, name) {
    return readCookie(request, name);
  }
}

const auth = createAuthService({ sessionStorageFactory: config => new Storage(config) });

// What authkit-nextjs does with a cookie, and with a session.
const open = sealed => unsealData(sealed, { password });
const seal = (session, ttl = 0, by = password) => sealData(session, { password: by, ttl });

const cookie = sealed => `${cookieName}=${sealed}; Path=/; HttpOnly; SameSite=Lax`;

const routes = {
  'GET /sign-in': async () => {
    const { url, headers } = await auth.createSignIn(undefined, { returnPathname: '/' });
    return { status: 302, headers: { location: url, ...headers } };
  },
  'GET /callback': async (request, url) => {
    const { headers } = await auth.handleCallback(request, undefined, {
      code: url.searchParams.get('code'),
      state: url.searchParams.get('state'),
    });
    return { status: 302, headers: { location: '/', ...headers } };
  },
  // Who is signed in, by the library's own check.
  'GET /me': async request => {
    const { auth: me, refreshedSessionData } = await auth.withAuth(request);
    return { json: me, headers: refreshedSessionData && { 'set-cookie': cookie(refreshedSessionData) } };
  },
  'POST /refresh': async request => {
    const { auth: me, encryptedSession } = await auth.refreshSession(await auth.getSession(request));
    return { json: me, headers: { 'set-cookie': cookie(encryptedSession) } };
  },
  // What iron-session finds in the cookie.
  'GET /cookie': async request => {
    return { json: await open(readCookie(request, cookieName)) };
  },
  // What authkit-nextjs does when a token has expired.
  'POST /next/refresh': async request => {
    const session = await open(readCookie(request, cookieName));
    const { accessToken, refreshToken, user, impersonator, authenticationMethod } = await auth
      .getWorkOS()
      .userManagement.authenticateWithRefreshToken({
        clientId: process.env.WORKOS_CLIENT_ID,
        refreshToken: session.refreshToken,
      });
    const sealed = await seal({ accessToken, refreshToken, user, impersonator, authenticationMethod });
    return { json: user, headers: { 'set-cookie': cookie(sealed) } };
  },
  // Any session, sealed.
  'POST /seal': async (_, url, body) => {
    const { session, ttl, passwords } = JSON.parse(body);
    return { json: await seal(session, ttl, passwords ?? password) };
  },
};

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://neighbour');
  const route = routes[`${request.method} ${url.pathname}`] ?? (() => ({ status: 404, json: null }));
  let answer;
  try {
    answer = await route(request, url, await body(request));
  } catch (error) {
    answer = { status: 500, json: String(error) };
  }
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
  response.end(JSON.stringify(answer.json ?? null));
});

server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  configure({ redirectUri: `${origin}/callback` });
  console.log(`Open ${origin}`);
});

// Nobody is left to serve when the tests are gone.
process.stdin.on('end', () => process.exit()).resume();
