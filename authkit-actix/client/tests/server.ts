import { onTestFinished, vi } from "vitest";

import { type BrowserSession, AuthKitClient, type ClientOptions } from "../src/index.js";

/** A server that answers as the real one does, and counts what it is asked. */
export class Server {
  readonly calls: string[] = [];
  readonly instructions: unknown[] = [];
  session: BrowserSession | null = session();
  /** Seconds that a token lives, and those that are left of it. */
  life = 300;
  left = 300;
  failure: Response | "unreachable" | undefined;
  refusal: { code: string; sign_in_url?: string } | undefined;
  #issued = 0;

  constructor() {
    vi.stubGlobal("fetch", (input: Request | string, init?: RequestInit) => this.answer(input, init));
  }

  get token(): string {
    return this.#mint();
  }

  count(name: string): number {
    return this.calls.filter((call) => call === name).length;
  }

  async answer(input: Request | string, init?: RequestInit): Promise<Response> {
    const name = String(typeof input === "string" ? input : input.url).replace(/^.*\/authkit\//, "");
    this.calls.push(name);
    if (init?.body) this.instructions.push(JSON.parse(String(init.body)));
    await Promise.resolve();
    if (this.failure === "unreachable") throw new TypeError("Failed to fetch");
    if (this.failure) return this.failure.clone();
    if (name === "sign-out") {
      this.session = null;
      return Response.json({ url: "https://api.workos.com/logout" });
    }
    if (!this.session) {
      const problem = { code: "signed_out", detail: "Nobody.", sign_in_url: "https://app.example.com/enter" };
      return Response.json(problem, { status: 401 });
    }
    if (this.refusal) return Response.json({ detail: "No.", ...this.refusal }, { status: 403 });
    if (name === "session") return Response.json(this.session);
    if (name === "organization" && !init?.body) return Response.json({ id: "org_1", name: "Acme" });
    if (name === "organization") {
      const { organization_id } = JSON.parse(String(init?.body)) as { organization_id: string };
      this.session = { ...this.session, organization_id };
    }
    if (name === "refresh" || name === "organization" || this.left <= 0) {
      this.#issued += 1;
      this.left = this.life;
    }
    return Response.json({ access_token: this.#mint(), expires_in: this.left, session: this.session });
  }

  #mint(): string {
    const now = Math.floor(Date.now() / 1000);
    const exp = now + this.left;
    return jwt({ iat: exp - this.life, exp, jti: `token_${this.#issued}`, auth_time: now - 100, name: "Zoë" });
  }
}

export function jwt(claims: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(claims));
  const payload = btoa(String.fromCharCode(...bytes));
  return `e30.${payload.replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "")}.signature`;
}

export function session(): BrowserSession {
  return {
    user: { id: "user_1", email: "ada@example.com", email_verified: true, first_name: "Ada", metadata: { a_b: "c" } },
    session_id: "session_1",
    organization_id: "org_1",
    role: "admin",
    roles: ["admin"],
    permissions: ["billing:manage"],
    entitlements: [],
    feature_flags: ["beta"],
    sign_in_url: "https://app.example.com/enter",
  };
}

/** A client that somebody looks at, until the test ends. */
export function watched(options?: ClientOptions): AuthKitClient {
  const client = new AuthKitClient(options);
  onTestFinished(client.subscribe(() => {}));
  return client;
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
