import { type InitialAuth, type NoUserInfo, type Organization, type TokenClaims, type UserInfo, read } from "./auth.js";
import { AuthKitError, ask } from "./server.js";
import { Token, takeEagerToken } from "./token.js";
import type { BrowserSession, SignOutAnswer, TokenAnswer } from "./wire.js";

/** What is known about the session right now; a new object whenever something changes. */
export type AuthState = (UserInfo | NoUserInfo) & {
  /** Nothing is known yet: the question is on its way, or the server cannot tell. */
  loading: boolean;
  accessToken: string | undefined;
  /** The first token is on its way, or a refresh that somebody asked for. */
  tokenLoading: boolean;
  /** Why the last question had no answer; what was known before stays. */
  error: Error | null;
};

export interface ClientOptions {
  /** What the paths of the server's routes begin with. Defaults to `/authkit`. */
  basePath?: string;
  /** Other origins whose requests `fetch` gives the token to. Defaults to none. */
  tokenOrigins?: string[];
}

export interface SignInOptions {
  /** The path to come back to. Defaults to the present one. */
  returnTo?: string;
  organizationId?: string;
  loginHint?: string;
  invitationToken?: string;
  screenHint?: "sign-in" | "sign-up";
}

/** When the user last proved who they are, and whether that is too long ago or unknown. */
export interface RecentAuth {
  authenticatedAt: Date | null;
  isStale: boolean;
}

/** What the tabs of a browser tell each other. */
type Message = { answer: TokenAnswer } | { session: BrowserSession } | { signedOut: true };

/** The session of this browser, as far as a page's scripts may know it. */
export class AuthKitClient {
  readonly #basePath: string;
  readonly #tokenOrigins: string[];
  #state: AuthState = UNKNOWN;
  #initial: AuthState = UNKNOWN;
  #token?: Token | undefined;
  #signInUrl?: string | undefined;
  #organization?: Organization;
  #hasLookedForToken = false;
  #wantsToken = false;
  #isLeaving = false;
  /** Changes when something becomes known that older questions did not know. */
  #era = 0;
  #failures = 0;
  #timer?: ReturnType<typeof setTimeout> | undefined;
  #channel?: BroadcastChannel | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #expiredListeners = new Set<() => void>();
  readonly #flights = new Map<string, Promise<unknown>>();

  constructor({ basePath = "/authkit", tokenOrigins = [] }: ClientOptions = {}) {
    this.#basePath = basePath;
    this.#tokenOrigins = tokenOrigins;
  }

  /** Calls back whenever the state changes, and keeps it current meanwhile. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#wake();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#sleep();
    };
  };

  getSnapshot = (): AuthState => {
    this.#lookForToken();
    return this.#state;
  };

  /** What the server rendered the page with. */
  getServerSnapshot = (): AuthState => this.#initial;

  /** Takes what the page carries, so that nobody has to ask. */
  hydrate(auth: InitialAuth): void {
    if (!this.#state.loading) return;
    const known = auth?.user ? read(auth) : NOBODY;
    this.#signInUrl = known.signInUrl;
    this.#initial = { ...UNKNOWN, ...known, loading: false } as AuthState;
    this.#state = { ...this.#initial, accessToken: this.#token?.text } as AuthState;
  }

  /** Calls back when a session ends that this page did not end itself. */
  onSessionExpired(listener: () => void): () => void {
    this.#expiredListeners.add(listener);
    return () => this.#expiredListeners.delete(listener);
  }

  /** Asks the server who is signed in. */
  getAuth = async ({ ensureSignedIn = false } = {}): Promise<void> => {
    await this.#check();
    if (ensureSignedIn && !this.#state.user) await this.signIn();
  };

  /** Leads to sign in, and back to where this page is. */
  signIn = async (options: SignInOptions = {}): Promise<void> => {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (!this.#signInUrl) await this.#check().catch(() => {});
    this.#leave(this.#signInUrl ?? "/sign-in", {
      return_to: options.returnTo ?? here(),
      organization_id: options.organizationId,
      login_hint: options.loginHint,
      invitation_token: options.invitationToken,
      screen_hint: options.screenHint,
    });
  };

  /** Leads to sign up. */
  signUp = (options: SignInOptions = {}): Promise<void> =>
    this.signIn({ ...options, screenHint: "sign-up" });

  /** Ends the session, here, in the other tabs and at WorkOS. */
  signOut = async ({ returnTo }: { returnTo?: string } = {}): Promise<void> => {
    const { url } = await ask<SignOutAnswer>(this.#path("sign-out"), { return_to: returnTo });
    this.#isLeaving = true;
    this.#forget();
    this.#tell({ signedOut: true });
    this.#leave(url);
  };

  /** Refreshes the session now, into another organization if one is named. */
  refresh = ({ organizationId }: { organizationId?: string } = {}): Promise<string | undefined> =>
    organizationId
      ? this.#instruct("organization", { organization_id: organizationId })
      : this.#instruct("refresh", {});

  /** Switches to another organization of the user's; leads to the step that it asks for, if any. */
  switchToOrganization = async (
    organizationId: string,
    { returnTo }: { returnTo?: string } = {},
  ): Promise<UserInfo> => {
    try {
      await this.refresh({ organizationId });
    } catch (error) {
      if (error instanceof AuthKitError && error.code === "step_required" && error.signInUrl) {
        this.#leave(error.signInUrl, { return_to: returnTo ?? here() });
      }
      throw error;
    }
    return this.#state as UserInfo;
  };

  /**
   * An access token that holds for a while; undefined when nobody is signed in.
   *
   * Rejects when none can be had: the server cannot tell, or cannot be reached.
   */
  getAccessToken = async (): Promise<string | undefined> => {
    this.#lookForToken();
    const isFirst = !this.#wantsToken;
    this.#wantsToken = true;
    if (!this.#token && !this.#state.loading && !this.#state.user) return undefined;
    if (this.#token && this.#token.rests > 0) {
      if (isFirst) this.#schedule();
      return this.#token.text;
    }
    if (!this.#token) this.#change({ tokenLoading: true });
    return this.#alone("token", () => this.#freshToken());
  };

  /** The claims of the present token, for show: the server decides by its own. */
  tokenClaims<T = Record<string, unknown>>(): TokenClaims<T> {
    this.#lookForToken();
    return (this.#token?.claims ?? {}) as TokenClaims<T>;
  }

  /** Whether the user has proved who they are within `maxAge` seconds, for show. */
  recentAuth({ maxAge }: { maxAge: number }): RecentAuth {
    const at = this.tokenClaims().auth_time;
    if (typeof at !== "number") return { authenticatedAt: null, isStale: true };
    return { authenticatedAt: new Date(at * 1000), isStale: Date.now() / 1000 - at > maxAge };
  }

  /** The session's organization by name; null when it is for none. */
  getOrganization = async (): Promise<Organization | null> => {
    const id = this.#state.organizationId;
    if (!id) return null;
    if (this.#organization?.id !== id) {
      this.#organization = await this.#single("name", () => ask(this.#path("organization")));
    }
    return this.#organization ?? null;
  };

  /**
   * `fetch` with the access token, which is refreshed and tried once more after a `401`.
   *
   * Only this origin and the `tokenOrigins` get the token.
   */
  fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const isOwn = new URL(request.url).origin === location.origin;
    const isMeant = isOwn || this.#tokenOrigins.includes(new URL(request.url).origin);
    if (!isMeant || request.headers.has("authorization")) return fetch(request);
    const again = request.clone();
    // The cookie speaks for requests of this origin.
    const token = await this.getAccessToken().catch((error) => {
      if (!isOwn) throw error;
    });
    const response = await fetch(withToken(request, token));
    const wantsProof = response.headers
      .get("www-authenticate")
      ?.includes("insufficient_user_authentication");
    if (response.status !== 401 || wantsProof) return response;
    const fresh = await this.refresh().catch(() => {});
    return fresh ? fetch(withToken(again, fresh)) : response;
  };

  #path(name: string): string {
    return `${this.#basePath}/${name}`;
  }

  /** Somebody looks: notice what happens in other tabs, and while this one slept. */
  #wake(): void {
    if (!globalThis.document) return;
    for (const [target, events] of WAKING) {
      for (const event of events) target().addEventListener(event, this.#wakeUp);
    }
    this.#openChannel();
    this.#lookForToken();
    if (this.#state.loading) this.#check().catch(() => {});
    else this.#schedule();
  }

  #sleep(): void {
    for (const [target, events] of WAKING) {
      for (const event of events) target().removeEventListener(event, this.#wakeUp);
    }
    this.#channel?.close();
    this.#channel = undefined;
    clearTimeout(this.#timer);
  }

  #wakeUp = (event: Event): void => {
    // The Back button brings back a page that was left for good.
    if (this.#isLeaving && (event as PageTransitionEvent).persisted) return location.reload();
    if (document.visibilityState === "visible") this.#check().catch(() => {});
  };

  #lookForToken(): void {
    if (this.#hasLookedForToken || !globalThis.document) return;
    this.#hasLookedForToken = true;
    this.#token = takeEagerToken();
    // Nobody is told: it is there before anybody has looked.
    if (this.#token) this.#state = { ...this.#state, accessToken: this.#token.text };
  }

  /** Who is signed in, and with which token if anybody wants one. */
  #check(): Promise<void> {
    return this.#single("check", async () => {
      try {
        if (this.#wantsToken) await this.#read("token", this.#accept);
        else await this.#read("session", this.#acceptSession);
      } catch (error) {
        this.#failed(error);
      }
    });
  }

  async #freshToken(): Promise<string | undefined> {
    // Another tab may have been faster.
    if (this.#token && this.#token.rests > 0) return this.#token.text;
    try {
      await this.#read("token", this.#accept);
      // The server is content with a token that is nearer its end.
      if (this.#token && this.#token.rests <= 0) await this.#read("refresh", this.#accept, {});
    } catch (error) {
      this.#failed(error);
      const isSignedOut = !this.#state.user && !this.#state.loading;
      if (!isSignedOut && (!this.#token || this.#token.isExpired)) throw error;
    }
    return this.#token?.text;
  }

  async #read<T>(name: string, take: (answer: T) => void, instruction?: object): Promise<void> {
    const era = this.#era;
    const answer = await ask<T>(this.#path(name), instruction);
    // A sign-out or a switch that came between knows better.
    if (era === this.#era) take(answer);
  }

  async #instruct(name: string, instruction: object): Promise<string | undefined> {
    this.#change({ tokenLoading: true });
    return this.#alone(name + JSON.stringify(instruction), async () => {
      try {
        const answer = await ask<TokenAnswer>(this.#path(name), instruction);
        if (this.#isLeaving) return undefined;
        this.#era += 1;
        this.#accept(answer);
        return this.#token?.text;
      } catch (error) {
        this.#failed(error);
        throw error;
      }
    });
  }

  #accept = (answer: TokenAnswer): void => {
    this.#take(answer.session, new Token(answer.access_token, answer.expires_in));
    this.#tell({ answer });
  };

  #acceptSession = (session: BrowserSession): void => {
    const was = this.#state;
    const isSame =
      was.user && was.sessionId === session.session_id && was.organizationId === session.organization_id;
    this.#take(session, isSame || was.loading ? this.#token : undefined);
    if (!isSame) this.#tell({ session });
  };

  #take(session: BrowserSession, token: Token | undefined): void {
    const auth = read(session);
    this.#failures = 0;
    this.#token = token;
    this.#signInUrl = auth.signInUrl;
    this.#state = UNKNOWN;
    this.#change({ ...auth, loading: false, accessToken: token?.text });
    this.#schedule();
    if (!token && this.#wantsToken) this.getAccessToken().catch(() => {});
  }

  #failed(error: unknown): void {
    const failure = error instanceof AuthKitError ? error : new AuthKitError(String(error), "unusable", 0);
    if (failure.status === 401) {
      const wasSignedIn = this.#state.user || this.#token;
      this.#signInUrl = failure.signInUrl;
      this.#forget();
      if (wasSignedIn) this.#expired();
      if (wasSignedIn) this.#tell({ signedOut: true });
      return;
    }
    this.#change({ error: failure, tokenLoading: false });
    // Refused for good: a further try would be too.
    if (failure.status >= 400 && failure.status < 500) return;
    const delay = failure.retryAfter ?? FIRST_RETRY * 2 ** this.#failures;
    this.#failures += 1;
    this.#after(Math.min(delay, LAST_RETRY));
  }

  /** Nobody is signed in. */
  #forget(): void {
    this.#era += 1;
    this.#token = undefined;
    clearTimeout(this.#timer);
    this.#state = UNKNOWN;
    this.#change({ ...NOBODY, loading: false });
  }

  #expired(): void {
    if (this.#isLeaving) return;
    for (const listener of this.#expiredListeners) listener();
  }

  #change(change: Partial<AuthState>): void {
    this.#state = { ...this.#state, ...change } as AuthState;
    for (const listener of this.#listeners) listener();
  }

  /** Refreshes the token in time, as long as somebody looks and wants one. */
  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#token && this.#wantsToken) this.#after(Math.max(this.#token.rests, SHORTEST_REST));
  }

  #after(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#listeners.size === 0) return;
    this.#timer = setTimeout(() => {
      const again = this.#wantsToken && this.#state.user ? this.getAccessToken() : this.#check();
      again.catch(() => {});
    }, Math.min(delay, LONGEST_REST));
  }

  #single<T>(key: string, work: () => Promise<T>): Promise<T> {
    let flight = this.#flights.get(key) as Promise<T> | undefined;
    if (!flight) {
      flight = work().finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return flight;
  }

  /** One at a time in this tab, and among the tabs. */
  #alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#single(key, async () => {
      const locks = globalThis.navigator?.locks;
      return locks ? locks.request(this.#path("lock"), work) : work();
    });
  }

  #openChannel(): void {
    if (this.#channel || !globalThis.BroadcastChannel) return;
    this.#channel = new BroadcastChannel(this.#path("tabs"));
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if ("answer" in data) {
        this.#era += 1;
        this.#take(data.answer.session, new Token(data.answer.access_token, data.answer.expires_in));
      } else if ("session" in data) {
        if (this.#state.sessionId !== data.session.session_id) this.#take(data.session, undefined);
        else if (this.#wantsToken) this.#check().catch(() => {});
      } else if (this.#state.user || this.#token) {
        this.#forget();
        this.#expired();
      }
    };
  }

  #tell(message: Message): void {
    this.#channel?.postMessage(message);
  }

  #leave(address: string, parameters: Record<string, string | undefined> = {}): void {
    const url = new URL(address, location.href);
    if (url.origin === location.origin) {
      for (const [name, value] of Object.entries(parameters)) {
        if (value) url.searchParams.set(name, value);
      }
    }
    if (/^https?:$/.test(url.protocol)) location.assign(url);
  }
}

function withToken(request: Request, token: string | undefined | void): Request {
  if (token) request.headers.set("authorization", `Bearer ${token}`);
  return request;
}

function here(): string {
  return location.pathname + location.search;
}

const NOBODY: NoUserInfo = { user: null };
const UNKNOWN: AuthState = {
  user: null,
  loading: true,
  accessToken: undefined,
  tokenLoading: false,
  error: null,
};

/** What says that time may have passed unnoticed. */
const WAKING: [() => EventTarget, string[]][] = [
  [() => document, ["visibilitychange"]],
  [() => window, ["focus", "online", "pageshow"]],
];

/** Milliseconds. */
const FIRST_RETRY = 5_000;
const LAST_RETRY = 300_000;
const SHORTEST_REST = 2_000;
const LONGEST_REST = 86_400_000;
