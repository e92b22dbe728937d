import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import { AuthKitClient } from "../src/index.js";
import { Server, jwt, session, settle, watched } from "./server.js";

let server: Server;
let channels: Set<FakeChannel>;
const assign = vi.fn<(url: URL | string) => void>();

/** Tabs of one browser. */
class FakeChannel {
  onmessage?: (event: { data: unknown }) => void;

  constructor(readonly name: string) {
    channels.add(this);
  }

  postMessage(data: unknown): void {
    for (const other of channels) {
      if (other !== this && other.name === this.name) {
        queueMicrotask(() => other.onmessage?.({ data: structuredClone(data) }));
      }
    }
  }

  close(): void {
    channels.delete(this);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  channels = new Set();
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  vi.spyOn(location, "assign").mockImplementation(assign);
  server = new Server();
  for (const cookie of document.cookie.split("; ")) {
    document.cookie = `${cookie.split("=")[0]}=; Path=/; Max-Age=-1`;
  }
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  assign.mockReset();
});

/** A moment later, when what has expired now is gone. */
function cookies(): string {
  vi.setSystemTime(Date.now() + 1);
  return document.cookie;
}

function lastAddress(): string {
  return String(assign.mock.lastCall?.[0]);
}

describe("the state", () => {
  test("is unknown, then what the server says, in the names of JavaScript", async () => {
    const client = watched();
    expect(client.getSnapshot()).toMatchObject({ user: null, loading: true });
    await settle();
    const { loading, user, sessionId, featureFlags } = client.getSnapshot();
    expect({ loading, sessionId, featureFlags }).toEqual({
      loading: false,
      sessionId: "session_1",
      featureFlags: ["beta"],
    });
    expect(user).toMatchObject({ firstName: "Ada", emailVerified: true, metadata: { a_b: "c" } });
    expect(server.calls).toEqual(["session"]);
  });

  test("is nobody for strangers, which is no expiry", async () => {
    server.session = null;
    const client = watched();
    const expired = vi.fn();
    client.onSessionExpired(expired);
    await settle();
    expect(client.getSnapshot()).toMatchObject({ user: null, loading: false });
    expect(await client.getAccessToken()).toBeUndefined();
    expect(expired).not.toHaveBeenCalled();
  });

  test("stays unknown while the server cannot tell, and is asked for again", async () => {
    server.failure = Response.json({ code: "sign_in_unavailable" }, { status: 503, headers: { "retry-after": "3" } });
    const client = watched();
    await settle();
    expect(client.getSnapshot()).toMatchObject({ loading: true, error: { status: 503 } });
    await vi.advanceTimersByTimeAsync(2_900);
    expect(server.calls).toHaveLength(1);
    server.failure = undefined;
    await vi.advanceTimersByTimeAsync(200);
    expect(client.getSnapshot()).toMatchObject({ loading: false, error: null, user: { id: "user_1" } });
  });

  test("comes with the page, so that nobody has to ask", async () => {
    for (const known of [session(), null]) {
      const client = new AuthKitClient();
      client.hydrate(known);
      onTestFinished(client.subscribe(() => {}));
      await settle();
      expect(client.getSnapshot()).toMatchObject({ loading: false });
      expect(client.getSnapshot().user?.email).toBe(known?.user.email);
      expect(client.getServerSnapshot()).toEqual(client.getSnapshot());
    }
    expect(server.calls).toEqual([]);
  });

  test("is a new object only when something has changed", async () => {
    const client = watched();
    await settle();
    expect(client.getSnapshot()).toBe(client.getSnapshot());
  });
});

describe("access tokens", () => {
  test("come by one call, however many ask", async () => {
    const client = watched();
    await settle();
    const tokens = await Promise.all(Array.from({ length: 20 }, () => client.getAccessToken()));
    expect(new Set(tokens).size).toBe(1);
    expect(server.count("token")).toBe(1);
    expect(await client.getAccessToken()).toBe(tokens[0]);
    expect(server.count("token")).toBe(1);
  });

  test("need nobody who looks", async () => {
    const client = new AuthKitClient();
    expect(await client.getAccessToken()).toBeTruthy();
    expect(server.calls).toEqual(["token"]);
  });

  test.each([
    { life: 300, rests: 270 },
    { life: 301, rests: 241 },
    { life: 3600, rests: 3540 },
    { life: 20, rests: 10 },
  ])("of $life s are refreshed after $rests s", async ({ life, rests }) => {
    server.life = server.left = life;
    const client = watched();
    const first = await client.getAccessToken();
    const asked = server.calls.length;
    await vi.advanceTimersByTimeAsync(rests * 1000 - 100);
    expect(server.calls).toHaveLength(asked);
    server.left = 0;
    await vi.advanceTimersByTimeAsync(200);
    expect(client.getSnapshot().accessToken).not.toBe(first);
    expect(server.calls.length).toBeGreaterThan(asked);
  });

  test("are refreshed by force where the server waits longer than we do", async () => {
    server.left = 20;
    const client = watched();
    await client.getAccessToken();
    expect(server.calls).toContain("refresh");
  });

  test("do not depend on this machine's clock", async () => {
    const client = watched();
    vi.setSystemTime(Date.now() + 3_600_000);
    const token = jwt({ iat: 1_000_000_000, exp: 1_000_000_300 });
    vi.stubGlobal("fetch", async () => Response.json({ access_token: token, expires_in: 300, session: session() }));
    expect(await client.getAccessToken()).toBe(token);
    expect(client.getSnapshot().accessToken).toBe(token);
  });

  test("that cannot be refreshed stay, and are tried again with longer and longer waits", async () => {
    const client = watched();
    const token = await client.getAccessToken();
    server.failure = "unreachable";
    await vi.advanceTimersByTimeAsync(270_000);
    expect(client.getSnapshot()).toMatchObject({ accessToken: token, error: { code: "unreachable" } });
    expect(await client.getAccessToken()).toBe(token);
    await vi.advanceTimersByTimeAsync(40_000);
    await expect(client.getAccessToken()).rejects.toThrow("cannot be reached");
    expect(client.getSnapshot()).toMatchObject({ accessToken: token, user: { id: "user_1" } });
    const asked = server.calls.length;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.calls.length - asked).toBeLessThan(20);
    server.failure = undefined;
    server.left = 0;
    await vi.advanceTimersByTimeAsync(300_000);
    expect(client.getSnapshot().error).toBeNull();
    expect(client.getSnapshot().accessToken).not.toBe(token);
  });

  test("are none, and no error, when the session turns out to have ended", async () => {
    const client = watched();
    await client.getAccessToken();
    server.session = null;
    await vi.advanceTimersByTimeAsync(300_000);
    expect(await client.getAccessToken()).toBeUndefined();
    expect(client.getSnapshot()).toMatchObject({ user: null, accessToken: undefined, error: null });

    const stranger = new AuthKitClient();
    expect(await stranger.getAccessToken()).toBeUndefined();
  });

  test("go when the session turns out to be another one", async () => {
    document.cookie = `workos-access-token=${server.token}; Path=/`;
    const client = watched();
    await settle();
    expect(client.getSnapshot().accessToken).toBeTruthy();
    server.session = { ...session(), organization_id: "org_2" };
    window.dispatchEvent(new Event("focus"));
    await settle();
    expect(client.getSnapshot()).toMatchObject({ organizationId: "org_2", accessToken: undefined });
  });

  test("are not refreshed when nobody looks or nobody wants them", async () => {
    const unwanted = watched();
    const alone = new AuthKitClient();
    await alone.getAccessToken();
    await settle();
    const asked = server.calls.length;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(server.calls).toHaveLength(asked);
    expect(unwanted.getSnapshot().user).toBeTruthy();
  });

  test("tell of the session too: role and organization change with them", async () => {
    const client = watched();
    await settle();
    server.session = { ...session(), role: "member" };
    await client.refresh();
    expect(client.getSnapshot()).toMatchObject({ role: "member", tokenLoading: false });
  });

  test("show their claims and how recent the sign-in is", async () => {
    const client = watched();
    expect(client.tokenClaims()).toEqual({});
    expect(client.recentAuth({ maxAge: 300 })).toEqual({ authenticatedAt: null, isStale: true });
    await client.getAccessToken();
    expect(client.tokenClaims<{ name: string }>().name).toBe("Zoë");
    const { authenticatedAt, isStale } = client.recentAuth({ maxAge: 100 });
    expect(authenticatedAt).toBeInstanceOf(Date);
    expect(isStale).toBe(Date.now() / 1000 - authenticatedAt!.getTime() / 1000 > 100);
    expect(client.recentAuth({ maxAge: 99 }).isStale).toBe(true);
  });
});

describe("the token beside the page", () => {
  test("is there at once, and gone from the cookies", async () => {
    const token = server.token;
    document.cookie = `other=1; Path=/`;
    document.cookie = `workos-access-token=${token}; Path=/`;
    const client = new AuthKitClient();
    expect(client.getSnapshot().accessToken).toBe(token);
    expect(cookies()).toBe("other=1");
    expect(await client.getAccessToken()).toBe(token);
    onTestFinished(client.subscribe(() => {}));
    await settle();
    expect(client.getSnapshot()).toMatchObject({ accessToken: token, user: { id: "user_1" } });
  });

  test.each(["nonsense", "a.b.c", jwt({ exp: 1, iat: 0 }), jwt({})])("counts for nothing when it is %s", (token) => {
    document.cookie = `workos-access-token=${token}; Path=/`;
    expect(new AuthKitClient().getSnapshot().accessToken).toBeUndefined();
    expect(cookies()).toBe("");
  });
});

describe("coming and going", () => {
  test("leads to the server's sign-in route, and back to this page", async () => {
    server.session = null;
    const client = watched();
    await settle();
    await client.signUp({ organizationId: "org_9" });
    expect(lastAddress()).toBe(
      "https://app.example.com/enter?return_to=%2Fhere%3Fx%3D1&organization_id=org_9&screen_hint=sign-up",
    );
    await client.signIn();
    expect(assign).toHaveBeenCalledTimes(1);
  });

  test("signs out here, tells the other tabs, and goes where the session ends", async () => {
    const [here, there] = [watched(), watched()];
    await settle();
    const [expiredHere, expiredThere] = [vi.fn(), vi.fn()];
    here.onSessionExpired(expiredHere);
    there.onSessionExpired(expiredThere);
    await here.signOut({ returnTo: "/bye" });
    await settle();
    expect(server.instructions).toEqual([{ return_to: "/bye" }]);
    expect(lastAddress()).toBe("https://api.workos.com/logout");
    for (const client of [here, there]) expect(client.getSnapshot().user).toBeNull();
    expect(expiredHere).not.toHaveBeenCalled();
    expect(expiredThere).toHaveBeenCalledOnce();
  });

  test("is not undone by an answer that was on its way", async () => {
    const [here, there] = [watched(), watched()];
    await Promise.all([here.getAccessToken(), there.getAccessToken()]);
    const token = server.answer("/authkit/token");
    let late = (_: Response): void => {};
    const answer = server.answer.bind(server);
    vi.stubGlobal("fetch", (input: string, init?: RequestInit) =>
      input.endsWith("token") ? new Promise<Response>((resolve) => (late = resolve)) : answer(input, init),
    );
    window.dispatchEvent(new Event("focus"));
    await here.signOut();
    late(await token);
    await settle();
    for (const client of [here, there]) expect(client.getSnapshot().user).toBeNull();
  });

  test("starts anew when the Back button brings back a page that was left", async () => {
    const reload = vi.spyOn(location, "reload").mockImplementation(() => {});
    const client = watched();
    await settle();
    const back = () => window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
    back();
    expect(reload).not.toHaveBeenCalled();
    await client.signOut();
    back();
    expect(reload).toHaveBeenCalledOnce();
  });

  test("never leaves for anything but a web address", async () => {
    vi.stubGlobal("fetch", async () => Response.json({ url: "javascript:alert(1)" }));
    await new AuthKitClient().signOut();
    expect(assign).not.toHaveBeenCalled();
  });

  test("notices an expired session when the tab is looked at again", async () => {
    const client = watched();
    await settle();
    const expired = vi.fn();
    client.onSessionExpired(expired);
    server.session = null;
    for (const event of ["focus", "pageshow", "online"]) window.dispatchEvent(new Event(event));
    document.dispatchEvent(new Event("visibilitychange"));
    await settle();
    expect(expired).toHaveBeenCalledOnce();
    expect(server.calls).toEqual(["session", "session"]);
    expect(client.getSnapshot()).toMatchObject({ user: null, loading: false });
  });

  test("calls nobody signed out by an outage", async () => {
    const client = watched();
    await settle();
    const expired = vi.fn();
    client.onSessionExpired(expired);
    for (const failure of [new Response("<h1>Bad gateway</h1>", { status: 502 }), new Response("{", { status: 200 }), "unreachable" as const]) {
      server.failure = failure;
      window.dispatchEvent(new Event("focus"));
      await settle();
      expect(client.getSnapshot()).toMatchObject({ user: { id: "user_1" } });
    }
    expect(expired).not.toHaveBeenCalled();
  });
});

describe("organizations", () => {
  test("are switched in every tab", async () => {
    const [here, there] = [watched(), watched()];
    await Promise.all([here.getAccessToken(), there.getAccessToken()]);
    const switched = await here.switchToOrganization("org_2");
    await settle();
    expect(switched.organizationId).toBe("org_2");
    expect(there.getSnapshot().organizationId).toBe("org_2");
    expect(there.getSnapshot().accessToken).toBe(here.getSnapshot().accessToken);
  });

  test("are not switched back by an answer that was on its way", async () => {
    const client = watched();
    await client.getAccessToken();
    const before = server.answer("/authkit/token");
    let late = (_: Response): void => {};
    const answer = server.answer.bind(server);
    vi.stubGlobal("fetch", (input: string, init?: RequestInit) =>
      input.endsWith("token") ? new Promise<Response>((resolve) => (late = resolve)) : answer(input, init),
    );
    window.dispatchEvent(new Event("focus"));
    await client.switchToOrganization("org_2");
    late(await before);
    await settle();
    expect(client.getSnapshot().organizationId).toBe("org_2");
    expect(client.tokenClaims().jti).toBe("token_1");
  });

  test("that refuse change nothing", async () => {
    const client = watched();
    await client.getAccessToken();
    server.refusal = { code: "organization_refused" };
    await expect(client.switchToOrganization("org_2")).rejects.toMatchObject({ code: "organization_refused", status: 403 });
    expect(client.getSnapshot()).toMatchObject({ organizationId: "org_1", tokenLoading: false });
    expect(assign).not.toHaveBeenCalled();
  });

  test("that ask for a step are led to", async () => {
    const client = watched();
    await settle();
    server.refusal = { code: "step_required", sign_in_url: "https://app.example.com/enter?options=sealed" };
    await expect(client.switchToOrganization("org_2")).rejects.toThrow();
    expect(lastAddress()).toBe("https://app.example.com/enter?options=sealed&return_to=%2Fhere%3Fx%3D1");
  });

  test("have their names asked for once", async () => {
    const client = watched();
    await settle();
    const names = await Promise.all([client.getOrganization(), client.getOrganization()]);
    expect(names[1]).toEqual({ id: "org_1", name: "Acme" });
    await client.getOrganization();
    expect(server.count("organization")).toBe(1);
  });
});

describe("fetch", () => {
  function api(statuses: number[], headers: Record<string, string> = {}) {
    const seen: (string | null)[] = [];
    const authkit = server.answer.bind(server);
    vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
      if (typeof input === "string") return authkit(input, init);
      seen.push(input.headers.get("authorization"), await input.text());
      return new Response("", { status: statuses.shift() ?? 200, headers });
    });
    return seen;
  }

  test("brings the token, and tries once more with a fresh one after a 401", async () => {
    const client = watched();
    const seen = api([401, 200]);
    const response = await client.fetch("https://app.example.com/api", { method: "POST", body: "hello" });
    expect(response.status).toBe(200);
    expect(seen[0]).toMatch(/^Bearer /);
    expect(seen[2]).toMatch(/^Bearer /);
    expect(seen[2]).not.toBe(seen[0]);
    expect([seen[1], seen[3]]).toEqual(["hello", "hello"]);
    expect(server.count("refresh")).toBe(1);
  });

  test("gives up after the second 401", async () => {
    const client = watched();
    const seen = api([401, 401, 200]);
    expect((await client.fetch("https://app.example.com/api")).status).toBe(401);
    expect(seen).toHaveLength(4);
  });

  test("leaves a wish for a more recent sign-in alone", async () => {
    const client = watched();
    const seen = api([401], { "www-authenticate": 'AuthKit error="insufficient_user_authentication", max_age=300' });
    expect((await client.fetch("https://app.example.com/api")).status).toBe(401);
    expect(seen).toHaveLength(2);
  });

  test("tells strangers' servers nothing", async () => {
    const client = watched({ tokenOrigins: ["https://api.example.com"] });
    const seen = api([]);
    await client.fetch("https://evil.example/api");
    await client.fetch("https://api.example.com/v1");
    await client.fetch("https://app.example.com/api", { headers: { authorization: "Basic x" } });
    expect([seen[0], seen[4]]).toEqual([null, "Basic x"]);
    expect(seen[2]).toMatch(/^Bearer /);
  });
});

test("only one tab at a time asks for a token", async () => {
  let held: Promise<unknown> = Promise.resolve();
  const request = (_name: string, work: () => Promise<unknown>) => (held = held.catch(() => {}).then(work));
  vi.stubGlobal("navigator", { locks: { request } });
  const [here, there] = [watched(), watched()];
  await settle();
  const [first, second] = await Promise.all([here.getAccessToken(), there.getAccessToken()]);
  expect(second).toBe(first);
  expect(server.count("token")).toBe(1);
});
