import type { Problem } from "./wire.js";

/** Why something could not be done: the server's `code`, or `unreachable`. */
export class AuthKitError extends Error {
  override readonly name = "AuthKitError";

  constructor(
    message: string,
    readonly code: string,
    /** The status of the answer; 0 when there was none. */
    readonly status: number,
    /** Where the user takes the step that is asked for. */
    readonly signInUrl?: string,
    /** In milliseconds. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Asks one of the server's routes: `GET`, or with an instruction `POST`. */
export async function ask<T>(address: string, instruction?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address, {
      ...(instruction && {
        method: "POST",
        body: JSON.stringify(instruction),
        headers: { "content-type": "application/json" },
      }),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new AuthKitError("The server cannot be reached.", "unreachable", 0);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && answer) return answer as T;
  const problem = (answer ?? {}) as Partial<Problem>;
  const seconds = Number(response.headers.get("retry-after"));
  throw new AuthKitError(
    problem.detail ?? "The server gave no usable answer.",
    problem.code ?? "unusable",
    response.ok ? 0 : response.status,
    problem.sign_in_url,
    seconds > 0 ? seconds * 1000 : undefined,
  );
}

const PATIENCE = 15_000;
