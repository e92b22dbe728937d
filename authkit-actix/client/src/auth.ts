import type * as wire from "./wire.js";

type Camel<Name extends string> = Name extends `${infer Head}_${infer Rest}`
  ? `${Head}${Capitalize<Camel<Rest>>}`
  : Name;
type CamelKeys<T> = { [Key in keyof T as Camel<Key & string>]: T[Key] };

/** A user of WorkOS. Only the id and the email are certain to be there. */
export type User = CamelKeys<wire.User>;

/** Who acts for the user, and why. */
export type Impersonator = wire.Impersonator;

/** The organization of the session. */
export type Organization = wire.Organization;

/** The session as the server writes it: what `GET session` answers and a page may carry. */
export type BrowserSession = wire.BrowserSession;

/** Who is signed in, where, and with which rights. */
export type UserInfo = Omit<CamelKeys<wire.BrowserSession>, "user"> & { user: User };

/** Nobody. */
export type NoUserInfo = { [Key in Exclude<keyof UserInfo, "user">]?: undefined } & { user: null };

/** What a page may know from the start; `null` is nobody. */
export type InitialAuth = BrowserSession | Partial<UserInfo> | NoUserInfo | null;

/** The claims of an access token, with those of a JWT template. */
export type TokenClaims<T = Record<string, unknown>> = Partial<
  {
    iss: string;
    sub: string;
    sid: string;
    aud: string | string[];
    exp: number;
    iat: number;
    jti: string;
    client_id: string;
    auth_time: number;
    org_id: string;
    role: string;
    roles: string[];
    permissions: string[];
    entitlements: string[];
    feature_flags: string[];
    act: { sub: string };
  } & T
>;

/** Reads a session of the server's, or one that has been read before. */
export function read(session: object): UserInfo {
  const { user, ...rest } = session as BrowserSession;
  return { ...camelKeys(rest), user: camelKeys(user) } as UserInfo;
}

function camelKeys(object: object): object {
  const entries = Object.entries(object);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}
