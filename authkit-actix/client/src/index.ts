import { AuthKitClient } from "./client.js";

export type {
  BrowserSession,
  Impersonator,
  InitialAuth,
  NoUserInfo,
  Organization,
  TokenClaims,
  User,
  UserInfo,
} from "./auth.js";
export { AuthKitClient, type AuthState, type ClientOptions, type RecentAuth, type SignInOptions } from "./client.js";
export { AuthKitError } from "./server.js";

/**
 * The session of this browser, for routes under `/authkit`; with another prefix, make an
 * `AuthKitClient` of your own.
 *
 * It is the same for all copies of this module on a page: that of the server, that of a bundler.
 */
export const authkit = shared("/authkit");

/** The client of all scripts of the page that have the same base path. */
export function shared(basePath: string): AuthKitClient {
  const key = Symbol.for(`authkit-actix:${basePath}`);
  const page = globalThis as { [key: symbol]: AuthKitClient | undefined };
  return (page[key] ??= new AuthKitClient({ basePath }));
}
