import {
  AuthKitProvider,
  Impersonation,
  useAccessToken,
  useAuth,
  useRecentAuth,
  useTokenClaims,
} from "authkit-actix-client/react";
import { type ReactNode, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

interface Choice {
  id: string;
  name: string;
  role: string;
}

function Page() {
  const { user, loading } = useAuth();
  return (
    <>
      <Impersonation returnTo="/react" />
      <main>{user ? <Account /> : <Stranger loading={loading} />}</main>
    </>
  );
}

function Stranger({ loading }: { loading: boolean }) {
  return (
    <header className="hero">
      <h1>{loading ? "One moment" : "Hello, stranger"}</h1>
      <p>This page is built with the React bindings of AuthKit for Actix-web.</p>
      {!loading && (
        <>
          <a className="button main" href="/sign-in?return_to=/react">
            Sign in
          </a>
          <a className="button" href="/">
            Home
          </a>
        </>
      )}
    </header>
  );
}

function Account() {
  const { user, role, permissions, featureFlags, sessionId, signOut } = useAuth({ ensureSignedIn: true });
  if (!user) return null;
  return (
    <>
      <header className="hero">
        <h1>{[user.firstName, user.lastName].filter(Boolean).join(" ") || user.email}</h1>
        <p>{user.email}</p>
        <a className="button" href="/">
          Home
        </a>
        <button type="button" onClick={() => void signOut({ returnTo: "/react" })}>
          Sign out
        </button>
      </header>
      <Organizations />
      <Section title="Session">
        <Fact name="Role">{role}</Fact>
        <Fact name="Permissions">{permissions?.join(", ")}</Fact>
        <Fact name="Feature flags">{featureFlags?.join(", ")}</Fact>
        <Fact name="User">{user.id}</Fact>
        <Fact name="Session">{sessionId}</Fact>
      </Section>
      <Token />
    </>
  );
}

function Organizations() {
  const { organizationId, switchToOrganization } = useAuth();
  const [choices, setChoices] = useState<Choice[]>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    fetch("/api/organizations").then(
      async (response) => setChoices(response.ok ? await response.json() : undefined),
      () => setChoices(undefined),
    );
  }, []);
  const choose = async (id: string) => {
    const answer = await switchToOrganization(id);
    setProblem("error" in answer ? answer.error : undefined);
  };
  return (
    <section>
      <h2>Organization</h2>
      {choices?.length === 0 && <p>You belong to none.</p>}
      <div className="switcher">
        {choices?.map(({ id, name, role }) => (
          <button
            key={id}
            type="button"
            disabled={id === organizationId}
            aria-current={id === organizationId ? "true" : undefined}
            onClick={() => void choose(id)}
          >
            {name}
            <small>{role}</small>
          </button>
        ))}
      </div>
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}

function Token() {
  const { accessToken, loading, error, refresh, getAccessToken } = useAccessToken();
  const { exp, org_id: organization } = useTokenClaims();
  const recent = useRecentAuth({ maxAge: 300 });
  const [answer, setAnswer] = useState<string>();
  const call = async () => {
    const token = await getAccessToken();
    const response = await fetch("/api/me", { headers: { authorization: `Bearer ${token}` } });
    setAnswer(`${response.status} ${response.statusText}`);
  };
  return (
    <Section title="Access token">
      <Fact name="Token">{loading ? "on its way" : accessToken && `…${accessToken.slice(-16)}`}</Fact>
      <Fact name="Expires">{exp && new Date(exp * 1000).toLocaleTimeString()}</Fact>
      <Fact name="For">{organization}</Fact>
      <Fact name="Signed in">
        {recent.authenticatedAt && `${recent.authenticatedAt.toLocaleTimeString()}, `}
        {!recent.loading && (recent.isStale ? "more than five minutes ago" : "within five minutes")}
      </Fact>
      <Fact name="Problem">{error?.message}</Fact>
      <div>
        <dt>
          <button type="button" className="small" onClick={() => void refresh().catch(() => {})}>
            Refresh
          </button>
        </dt>
        <dd>
          <button type="button" className="small" onClick={() => void call().catch(() => setAnswer("no token"))}>
            Call the API
          </button>{" "}
          <output>{answer}</output>
        </dd>
      </div>
    </Section>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section>
      <h2>{title}</h2>
      <dl>{children}</dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children || "none"}</dd>
    </div>
  );
}

// What the server knew when it made the page: nobody has to ask.
const initialAuth = JSON.parse(document.getElementById("session")!.textContent!);

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <AuthKitProvider initialAuth={initialAuth}>
      <Page />
    </AuthKitProvider>
  </StrictMode>,
);
