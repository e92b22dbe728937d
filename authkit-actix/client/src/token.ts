import type { TokenClaims } from "./auth.js";

/** An access token, and for how long it is worth something. */
export class Token {
  readonly claims: TokenClaims;
  /** In milliseconds. */
  readonly #lifetime: number;
  readonly #expiresAt: number;

  /** `expiresIn`, in seconds, is the server's word, which the clock of this machine cannot spoil. */
  constructor(
    readonly text: string,
    expiresIn?: number,
  ) {
    this.claims = decode(text);
    const { exp = 0, iat = 0 } = this.claims;
    this.#lifetime = Math.max(exp - iat, 0) * 1000;
    const left = expiresIn === undefined ? exp * 1000 - Date.now() : expiresIn * 1000;
    this.#expiresAt = Date.now() + Math.min(left, this.#lifetime);
  }

  get isExpired(): boolean {
    return Date.now() >= this.#expiresAt;
  }

  /** How long it need not be refreshed, in milliseconds. */
  get rests(): number {
    const buffer = this.#lifetime <= SHORT_LIFE ? SHORT_BUFFER : BUFFER;
    const early = buffer < this.#lifetime ? buffer : this.#lifetime / 2;
    return this.#expiresAt - early - Date.now();
  }
}

/** The token that the server put beside the page, for once. */
export function takeEagerToken(): Token | undefined {
  const cookies = globalThis.document?.cookie ?? "";
  const [, text] = cookies.match(/(?:^|;\s*)workos-access-token=([^;]+)/) ?? [];
  if (!text) return undefined;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `workos-access-token=; Path=/; Max-Age=0; SameSite=Lax${secure}`;
  const token = new Token(text);
  return token.isExpired ? undefined : token;
}

/** The payload of a JWT, which nobody has verified here: for show, never for decisions. */
function decode(token: string): TokenClaims {
  try {
    const payload = token.split(".")[1]!.replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {};
  }
}

const SHORT_LIFE = 300_000;
const SHORT_BUFFER = 30_000;
const BUFFER = 60_000;
