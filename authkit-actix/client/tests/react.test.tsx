import { act, cleanup, render, renderHook, screen } from "@testing-library/react";
import { type ReactNode, StrictMode, createElement } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { AuthKitClient } from "../src/index.js";
import {
  AuthKitProvider,
  type AuthKitProviderProps,
  Impersonation,
  useAccessToken,
  useAuth,
  useRecentAuth,
  useTokenClaims,
} from "../src/react.js";
import { Server, session, settle } from "./server.js";

let server: Server;
let client: AuthKitClient;
const assign = vi.fn<(url: URL | string) => void>();
const reload = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(location, "assign").mockImplementation(assign);
  vi.spyOn(location, "reload").mockImplementation(reload);
  server = new Server();
  client = new AuthKitClient();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  assign.mockReset();
  reload.mockReset();
});

function within(props: Partial<AuthKitProviderProps> = {}) {
  return {
    wrapper: ({ children }: { children: ReactNode }) => (
      <StrictMode>
        <AuthKitProvider client={client} {...props}>
          {children}
        </AuthKitProvider>
      </StrictMode>
    ),
  };
}

const happen = (what: () => unknown = () => {}) =>
  act(async () => {
    await what();
    await settle();
  });

test("hooks outside the provider say what is missing", () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => renderHook(() => useAuth())).toThrow("useAuth must be used within an AuthKitProvider");
});

test("useAuth loads once, and has who is signed in", async () => {
  const { result } = renderHook(() => useAuth(), within());
  expect(result.current).toMatchObject({ user: null, loading: true });
  await happen();
  expect(result.current).toMatchObject({
    loading: false,
    user: { firstName: "Ada" },
    sessionId: "session_1",
    organizationId: "org_1",
    role: "admin",
    permissions: ["billing:manage"],
    featureFlags: ["beta"],
  });
  expect(server.calls).toEqual(["session"]);
});

test("initialAuth is there from the first render and asks for nothing", async () => {
  const { result } = renderHook(() => useAuth(), within({ initialAuth: session() }));
  expect(result.current).toMatchObject({ loading: false, user: { email: "ada@example.com" } });
  await happen();
  expect(server.calls).toEqual([]);
});

test("a page rendered on a server has it too, and nothing of the page before", () => {
  const Email = () => createElement("b", {}, useAuth().user?.email ?? "nobody");
  const page = (initialAuth?: AuthKitProviderProps["initialAuth"]) => {
    vi.stubGlobal("document", undefined);
    const element = createElement(AuthKitProvider, { initialAuth, children: createElement(Email) });
    return renderToString(element);
  };
  expect(page(session())).toBe("<b>ada@example.com</b>");
  expect(page()).toBe("<b>nobody</b>");
  expect(page(null)).toBe("<b>nobody</b>");
});

test("ensureSignedIn leads strangers to sign in, once, and shows them nothing", async () => {
  server.session = null;
  const { result } = renderHook(() => [useAuth({ ensureSignedIn: true }), useAuth({ ensureSignedIn: true })], within());
  await happen();
  expect(result.current[0]).toMatchObject({ loading: true, user: null });
  expect(assign).toHaveBeenCalledOnce();
  expect(String(assign.mock.lastCall?.[0])).toContain("/enter?return_to=%2Fhere");
});

test("ensureSignedIn leads nobody away while the server cannot tell", async () => {
  server.failure = new Response("", { status: 503 });
  const { result } = renderHook(() => useAuth({ ensureSignedIn: true }), within());
  await happen();
  expect(result.current.loading).toBe(true);
  expect(assign).not.toHaveBeenCalled();
});

test("useAccessToken and useAuth are in step both ways", async () => {
  const { result } = renderHook(() => ({ auth: useAuth(), token: useAccessToken() }), within());
  expect(result.current.token).toMatchObject({ loading: true, accessToken: undefined, error: null });
  await happen();
  const first = result.current.token.accessToken;
  expect(first).toBeTruthy();
  expect(result.current.token.loading).toBe(false);

  await happen(() => result.current.auth.switchToOrganization("org_2"));
  expect(result.current.auth.organizationId).toBe("org_2");
  const second = result.current.token.accessToken;
  expect(second).not.toBe(first);

  server.session = { ...session(), role: "member" };
  await happen(() => result.current.token.refresh());
  expect(result.current.auth).toMatchObject({ role: "member", organizationId: "org_1" });
  expect(result.current.token.accessToken).not.toBe(second);
  expect(await result.current.token.getAccessToken()).toBe(result.current.token.accessToken);

  server.session = null;
  await happen(() => result.current.auth.getAuth());
  expect(result.current.auth.user).toBeNull();
  expect(result.current.token).toMatchObject({ accessToken: undefined, loading: false });
});

test("an error leaves the token as it was, and is shown", async () => {
  const { result } = renderHook(() => ({ auth: useAuth(), token: useAccessToken() }), within());
  await happen();
  const token = result.current.token.accessToken;
  server.failure = Response.json({ detail: "Later." }, { status: 503 });
  let answer: unknown;
  await happen(async () => (answer = await result.current.auth.refreshAuth()));
  expect(answer).toEqual({ error: "Later." });
  expect(result.current.token).toMatchObject({ accessToken: token, loading: false, error: { message: "Later." } });
  await happen(async () => (answer = await result.current.auth.switchToOrganization("org_2")));
  expect(answer).toEqual({ error: "Later." });
  expect(result.current.auth.user).toBeTruthy();
});

test("useTokenClaims has the claims, those of a template included", async () => {
  const { result } = renderHook(() => useTokenClaims<{ name: string }>(), within());
  expect(result.current).toEqual({});
  await happen();
  expect(result.current.name).toBe("Zoë");
});

test("useRecentAuth becomes stale by itself", async () => {
  const { result } = renderHook(() => useRecentAuth({ maxAge: 160 }), within());
  expect(result.current).toEqual({ loading: true, authenticatedAt: undefined, isStale: undefined });
  await happen();
  expect(result.current).toMatchObject({ loading: false, isStale: false });
  expect(result.current.authenticatedAt).toBeInstanceOf(Date);
  await act(() => vi.advanceTimersByTimeAsync(62_000));
  expect(result.current.isStale).toBe(true);
});

test("an expired session reloads the page, or does what the application says", async () => {
  const own = vi.fn();
  for (const [onSessionExpired, reloads, calls] of [
    [undefined, 1, 0],
    [own, 1, 1],
    [false, 1, 1],
  ] as const) {
    client = new AuthKitClient();
    server.session = session();
    const { result, unmount } = renderHook(() => useAuth(), within({ onSessionExpired }));
    await happen();
    server.session = null;
    await happen(() => window.dispatchEvent(new Event("focus")));
    expect(result.current.user).toBeNull();
    expect([reload.mock.calls.length, own.mock.calls.length]).toEqual([reloads, calls]);
    unmount();
  }
});

test("Impersonation says who acts for whom and where, and stops it", async () => {
  server.session = { ...session(), impersonator: { email: "root@example.com", reason: "support" } };
  render(<Impersonation side="bottom" returnTo="/bye" className="mine" data-testid="banner" />, within());
  expect(screen.queryByRole("status")).toBeNull();
  await happen();
  const banner = screen.getByRole("status");
  expect(banner.textContent).toBe("root@example.com is acting as ada@example.com in AcmeStop");
  expect(banner.className).toBe("authkit-impersonation mine");
  expect(banner.dataset).toMatchObject({ side: "bottom", testid: "banner" });
  expect(document.adoptedStyleSheets).toHaveLength(1);
  await happen(() => screen.getByRole("button", { name: "Stop" }).click());
  expect(server.instructions).toEqual([{ return_to: "/bye" }]);
  expect(screen.queryByRole("status")).toBeNull();
});

test("Impersonation is nothing when nobody acts for the user", async () => {
  const { container } = render(<Impersonation />, within());
  await happen();
  expect(container.innerHTML).toBe("");
  expect(server.count("organization")).toBe(0);
});
