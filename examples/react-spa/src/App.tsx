import { authkit } from "authkit-actix-client";
import { Impersonation, useAuth } from "authkit-actix-client/react";
import { type FormEvent, useEffect, useState } from "react";

export function App() {
  const { user, loading, signOut } = useAuth({ ensureSignedIn: true });
  if (loading) return null;
  return (
    <>
      <Impersonation />
      <main>
        <header>
          <h1>Notes of {user.firstName ?? user.email}</h1>
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </header>
        <Notes />
      </main>
    </>
  );
}

function Notes() {
  const [notes, setNotes] = useState<string[]>([]);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");

  const call = async (init?: RequestInit) => {
    try {
      // Signs in again by itself, as far as that goes without the user.
      const response = await authkit.fetch("/api/notes", init);
      if (!response.ok) throw new Error(response.statusText);
      setNotes(await response.json());
      setProblem("");
    } catch {
      setProblem("Your notes cannot be reached right now.");
    }
  };
  useEffect(() => void call(), []);

  const add = async (event: FormEvent) => {
    event.preventDefault();
    const headers = { "content-type": "application/json" };
    await call({ method: "POST", headers, body: JSON.stringify(text) });
    setText("");
  };

  return (
    <>
      <form onSubmit={(event) => void add(event)}>
        <input aria-label="Note" placeholder="Something to remember" required maxLength={200} value={text} onChange={(event) => setText(event.target.value)} />
        <button>Add</button>
      </form>
      {problem && <p role="alert">{problem}</p>}
      <ul>
        {notes.map((note, index) => (
          <li key={index}>{note}</li>
        ))}
      </ul>
    </>
  );
}
