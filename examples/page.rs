//! How the examples look.

use maud::{DOCTYPE, Markup, html};

/// A page around its content: links and buttons are shown as buttons, the first one as the main one.
pub(crate) fn page(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                link rel="icon" href="data:,";
                title { (title) }
                style { (STYLE) }
            }
            body { main { (content) } }
        }
    }
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: light-dark(#1b1b27, #f0f0f6); --soft: light-dark(#62627a, #a2a2b8);
  --line: light-dark(#d3d3e0, #3c3c55); --accent: light-dark(#5b52e8, #8b84ff); --on-accent: light-dark(#fff, #12121c) }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; color: var(--ink);
  background: light-dark(#f4f4f8, #111119); font: 1.125rem/1.5 system-ui, sans-serif }
main { padding: 2rem 1.5rem 15vh; text-align: center }
h1 { margin: 0 0 1.5rem; font-size: clamp(2rem, 7vw, 3.25rem); line-height: 1.15; letter-spacing: -.02em;
  overflow-wrap: anywhere; text-wrap: balance }
p { margin: -.75rem 0 1.75rem; color: var(--soft); overflow-wrap: anywhere }
form { display: inline }
nav { margin: 1rem 0 1.75rem }
ol { margin: 0 0 1.75rem; padding: 0; list-style: none }
pre { margin: 0 0 1.5rem; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: 10px; white-space: pre-wrap;
  font-size: .875rem; text-align: start; overflow-wrap: anywhere }
input { margin: .25rem; padding: .6rem 1rem; border: 1px solid var(--line); border-radius: 10px; background: none;
  color: inherit; font: inherit; line-height: 1.5 }
a, button { display: inline-block; margin: .25rem; padding: .6rem 1.4rem; border: 1px solid var(--line);
  border-radius: 10px; background: none; color: inherit; font: inherit; font-weight: 600; line-height: 1.5;
  text-decoration: none; cursor: pointer }
a:first-of-type { border-color: var(--accent); background: var(--accent); color: var(--on-accent) }
button:disabled { border-color: var(--accent); cursor: default }
:is(a, button:not(:disabled)):hover { border-color: var(--accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
";
