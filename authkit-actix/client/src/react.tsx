"use client";

import {
  type ComponentPropsWithoutRef,
  type ReactNode,
  createContext,
  createElement,
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";

import type { Impersonator, InitialAuth, Organization, TokenClaims, User, UserInfo } from "./auth.js";
import { BANNER_CLASS, adoptBannerStyle } from "./banner.js";
import { AuthKitClient, type AuthState } from "./client.js";
import { authkit } from "./index.js";

const Context = createContext<AuthKitClient | undefined>(undefined);

export interface AuthKitProviderProps {
  children: ReactNode;
  /**
   * What happens when the session ends while the page is open. Defaults to loading the page anew;
   * `false` does nothing.
   */
  onSessionExpired?: false | (() => void);
  /** What the server knew when it made the page: with it, nothing is asked for. */
  initialAuth?: InitialAuth;
  /** For a server whose routes are not under `/authkit`. */
  client?: AuthKitClient;
}

/** Tells the components inside it about the session. */
export function AuthKitProvider({ children, onSessionExpired, initialAuth, client }: AuthKitProviderProps) {
  const [current] = useState(() => {
    // On a server, what one visitor's page knows is nobody else's business.
    const ours = client ?? (globalThis.document ? authkit : new AuthKitClient());
    if (initialAuth !== undefined) ours.hydrate(initialAuth);
    return ours;
  });
  useEffect(() => {
    if (onSessionExpired === false) return;
    return current.onSessionExpired(onSessionExpired ?? (() => location.reload()));
  }, [current, onSessionExpired]);
  return createElement(Context.Provider, { value: current }, children);
}

export interface AuthContext {
  user: User | null;
  sessionId: string | undefined;
  organizationId: string | undefined;
  role: string | undefined;
  roles: string[] | undefined;
  permissions: string[] | undefined;
  entitlements: string[] | undefined;
  featureFlags: string[] | undefined;
  impersonator: Impersonator | undefined;
  /** Nothing is known yet: the question is on its way, or the server cannot tell. */
  loading: boolean;
  getAuth: (options?: { ensureSignedIn?: boolean }) => Promise<void>;
  refreshAuth: (options?: {
    ensureSignedIn?: boolean;
    organizationId?: string;
  }) => Promise<void | { error: string }>;
  signOut: (options?: { returnTo?: string }) => Promise<void>;
  switchToOrganization: (
    organizationId: string,
    options?: { returnTo?: string },
  ) => Promise<UserInfo | { error: string }>;
}

/** Who is signed in; with `ensureSignedIn`, whoever is not is led to sign in. */
export function useAuth(options: {
  ensureSignedIn: true;
}): AuthContext & ({ loading: true; user: User | null } | { loading: false; user: User });
export function useAuth(options?: { ensureSignedIn?: boolean }): AuthContext;
export function useAuth({ ensureSignedIn = false } = {}): AuthContext {
  const client = useClient("useAuth");
  const state = useAuthState(client);
  const isMissing = ensureSignedIn && !state.loading && !state.user;
  useEffect(() => {
    if (isMissing) void client.signIn();
  }, [client, isMissing]);

  const refreshAuth: AuthContext["refreshAuth"] = useCallback(
    async ({ ensureSignedIn = false, organizationId } = {}) => {
      try {
        await client.refresh(organizationId ? { organizationId } : {});
      } catch (error) {
        const isSignedOut = !client.getSnapshot().user && !client.getSnapshot().loading;
        if (ensureSignedIn && isSignedOut) return client.signIn();
        return { error: messageOf(error) };
      }
    },
    [client],
  );
  const switchToOrganization: AuthContext["switchToOrganization"] = useCallback(
    (organizationId, options) =>
      client
        .switchToOrganization(organizationId, options)
        .catch((error: unknown) => ({ error: messageOf(error) })),
    [client],
  );
  return useMemo(
    () => ({
      user: state.user,
      sessionId: state.sessionId,
      organizationId: state.organizationId,
      role: state.role,
      roles: state.roles,
      permissions: state.permissions,
      entitlements: state.entitlements,
      featureFlags: state.featureFlags,
      impersonator: state.impersonator,
      // A stranger who is about to be led away is shown nothing.
      loading: state.loading || isMissing,
      getAuth: client.getAuth,
      refreshAuth,
      signOut: client.signOut,
      switchToOrganization,
    }),
    [state, isMissing, client, refreshAuth, switchToOrganization],
  );
}

export interface UseAccessTokenReturn {
  /** The token as it is; it may have run out while the tab slept. */
  accessToken: string | undefined;
  /** The first token, or a refresh that somebody asked for, is on its way. */
  loading: boolean;
  /** Why the last attempt gave no token; the one before it stays. */
  error: Error | null;
  /** Refreshes the session now. */
  refresh: () => Promise<string | undefined>;
  /** A token that holds for a while; rejects when none can be had. */
  getAccessToken: () => Promise<string | undefined>;
}

/** The access token, refreshed in time. */
export function useAccessToken(): UseAccessTokenReturn {
  const client = useClient("useAccessToken");
  const { user, accessToken, loading, tokenLoading, error, sessionId } = useAuthState(client);
  useEffect(() => {
    client.getAccessToken().catch(() => {}); // It is in the state.
  }, [client, user?.id, sessionId]);
  const refresh = useCallback(
    async () => (client.getSnapshot().user ? client.refresh() : undefined),
    [client],
  );
  const isComing = !accessToken && !error && (loading || !!user);
  return { accessToken, loading: tokenLoading || isComing, error, refresh, getAccessToken: client.getAccessToken };
}

/** The claims of the access token, for show; none while there is no token. */
export function useTokenClaims<T = Record<string, unknown>>(): TokenClaims<T> {
  const client = useClient("useTokenClaims");
  const { accessToken } = useAccessToken();
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the token is what the claims are of
  return useMemo(() => (accessToken ? client.tokenClaims<T>() : {}), [client, accessToken]);
}

export type UseRecentAuthReturn =
  | { loading: true; authenticatedAt: undefined; isStale: undefined }
  | { loading: false; authenticatedAt: Date | null; isStale: boolean };

/** Whether the user has proved who they are within `maxAge` seconds, for show; changes as time passes. */
export function useRecentAuth({ maxAge }: { maxAge: number }): UseRecentAuthReturn {
  const client = useClient("useRecentAuth");
  const { loading, accessToken } = useAccessToken();
  const { auth_time: at } = useTokenClaims();
  const [, passTime] = useState(0);
  useEffect(() => {
    if (typeof at !== "number") return;
    const left = (at + maxAge) * 1000 - Date.now();
    if (left < 0 || left > LONGEST_TIMER) return;
    const timer = setTimeout(() => passTime((times) => times + 1), left + 1);
    return () => clearTimeout(timer);
  }, [at, maxAge]);
  if (loading) return { loading: true, authenticatedAt: undefined, isStale: undefined };
  if (!accessToken) return { loading: false, authenticatedAt: null, isStale: true };
  return { loading: false, ...client.recentAuth({ maxAge }) };
}

export interface ImpersonationProps extends ComponentPropsWithoutRef<"aside"> {
  /** The edge of the window that it sticks to. Defaults to where it stands on the page. */
  side?: "top" | "bottom";
  /** Where to go when it is stopped. */
  returnTo?: string;
}

/**
 * Says who is really behind the keyboard, with a button that ends it; nothing when nobody acts for
 * the user.
 */
export function Impersonation({ side, returnTo, className, ...props }: ImpersonationProps) {
  const client = useClient("Impersonation");
  const { user, impersonator, organizationId } = useAuthState(client);
  const [organization, setOrganization] = useState<Organization | null>(null);
  const isShown = !!user && !!impersonator;
  useIsomorphicLayoutEffect(() => {
    if (isShown) adoptBannerStyle();
  }, [isShown]);
  useEffect(() => {
    if (isShown && organizationId) client.getOrganization().then(setOrganization, () => {});
  }, [client, isShown, organizationId]);
  if (!isShown) return null;
  return (
    <aside
      role="status"
      {...props}
      className={className ? `${BANNER_CLASS} ${className}` : BANNER_CLASS}
      data-side={side}
    >
      <span>
        <strong>{impersonator.email}</strong> is acting as <strong>{user.email}</strong>
        {organization && organization.id === organizationId && (
          <>
            {" in "}
            <strong>{organization.name}</strong>
          </>
        )}
      </span>
      <button type="button" onClick={() => void client.signOut(returnTo ? { returnTo } : {})}>
        Stop
      </button>
    </aside>
  );
}

function useClient(hook: string): AuthKitClient {
  const client = useContext(Context);
  if (!client) throw new Error(`${hook} must be used within an AuthKitProvider`);
  return client;
}

function useAuthState(client: AuthKitClient): AuthState {
  return useSyncExternalStore(client.subscribe, client.getSnapshot, client.getServerSnapshot);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const useIsomorphicLayoutEffect = globalThis.document ? useLayoutEffect : useEffect;

const LONGEST_TIMER = 2 ** 31 - 1;
