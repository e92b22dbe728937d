// What the routes answer, written by a test of the server's `web/routes/browser.rs`.

export type BrowserSession = { 
/**
 * Who is signed in.
 */
user: User, 
/**
 * The id of the WorkOS session: `session_…`.
 */
session_id: string, 
/**
 * The organization that the session is for: `org_…`.
 */
organization_id?: string, 
/**
 * The user's role in that organization.
 */
role?: string, 
/**
 * All roles of the user in that organization.
 */
roles: Array<string>, 
/**
 * What the user may do in that organization.
 */
permissions: Array<string>, 
/**
 * What that organization has paid for.
 */
entitlements: Array<string>, 
/**
 * The feature flags that are on for the user.
 */
feature_flags: Array<string>, 
/**
 * Who acts for the user, if it is not the user.
 */
impersonator?: Impersonator, 
/**
 * How the user signed in: `Password`, `GoogleOAuth`, `SSO`, ….
 */
authentication_method?: string, 
/**
 * The application's own sign-in route.
 */
sign_in_url: string, };

export type User = { 
/**
 * The user's id: `user_…`.
 */
id: string, 
/**
 * The email address.
 */
email: string, 
/**
 * Whether that address has been verified.
 */
email_verified: boolean, 
/**
 * The first name.
 */
first_name?: string, 
/**
 * The last name.
 */
last_name?: string, 
/**
 * The full name, where WorkOS gives one.
 */
name?: string, 
/**
 * Where a picture of the user is.
 */
profile_picture_url?: string, 
/**
 * When the user last signed in, in RFC 3339.
 */
last_sign_in_at?: string, 
/**
 * The preferred language, such as `en-GB`.
 */
locale?: string, 
/**
 * The id that this application gave the user.
 */
external_id?: string, 
/**
 * What this application keeps with the user.
 */
metadata?: { [key in string]: string }, 
/**
 * When the user was created, in RFC 3339.
 */
created_at?: string, 
/**
 * When the user was last changed, in RFC 3339.
 */
updated_at?: string, };

export type Impersonator = { 
/**
 * The email address of the person behind the keyboard.
 */
email: string, 
/**
 * The reason that person gave.
 */
reason?: string, };

export type TokenAnswer = { access_token: string, 
/**
 * In seconds, counted by the server's clock.
 */
expires_in: number, session: BrowserSession, };

export type Organization = { 
/**
 * The organization's id: `org_…`.
 */
id: string, 
/**
 * Its name.
 */
name: string, };

export type SignOutAnswer = { url: string, };

export type Problem = { type: string, title: string, status: number, code: string, detail: string, sign_in_url?: string, sign_out_url?: string, max_age?: number, };
