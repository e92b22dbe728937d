//! How the showcase looks.

use maud::{DOCTYPE, Markup, html};

/// A page around its content, and below its banner if it has one.
pub(crate) fn page(title: &str, banner: Markup, content: Markup) -> Markup {
    document(title, html! { (banner) main { (content) } })
}

pub(crate) fn document(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="icon" href="data:,";
                style { (STYLE) }
            }
            body { (body) }
        }
    }
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: light-dark(#1b1b27, #f0f0f6); --soft: light-dark(#62627a, #a2a2b8);
  --line: light-dark(#d3d3e0, #3c3c55); --card: light-dark(#fff, #191924);
  --accent: light-dark(#5b52e8, #8b84ff); --on-accent: light-dark(#fff, #12121c) }
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: light-dark(#f4f4f8, #111119);
  font: 1.0625rem/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem 4rem }
.hero { padding: clamp(2.5rem, 9vh, 5.5rem) 0 1.5rem; text-align: center }
h1 { margin: 0; font-size: clamp(1.75rem, 5.5vw, 2.75rem); line-height: 1.15; letter-spacing: -.02em;
  overflow-wrap: anywhere; text-wrap: balance }
h2 { margin: 2.25rem 0 .75rem; font-size: 1.0625rem }
p { margin: 0; color: var(--soft); overflow-wrap: anywhere }
.hero p { margin: .75rem 0 1.5rem }
.hero form { display: inline }
.button, button { display: inline-block; margin: .25rem; padding: .55rem 1.3rem; border: 1px solid var(--line);
  border-radius: 10px; background: none; color: inherit; font: inherit; font-weight: 600; text-decoration: none;
  cursor: pointer }
.main { border-color: var(--accent); background: var(--accent); color: var(--on-accent) }
:is(.button, button, .routes a):not(:disabled):hover { border-color: var(--accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.routes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: .6rem;
  margin: 0; padding: 0; list-style: none }
.routes a { display: grid; align-content: start; height: 100%; padding: .7rem 1rem; border: 1px solid var(--line);
  border-radius: 12px; background: var(--card); color: inherit; text-decoration: none }
.routes code { color: var(--accent); font-size: .9375rem; overflow-wrap: anywhere }
.routes span, small { color: var(--soft); font-size: .875rem }
.switcher { display: flex; flex-wrap: wrap; gap: .6rem }
.switcher button { display: grid; margin: 0; min-width: 9rem; background: var(--card); text-align: start;
  line-height: 1.3 }
.switcher button:disabled { border-color: var(--accent); color: inherit; cursor: default }
small { font-weight: 400 }
button.small { margin: -.2rem 0; padding: .15rem .8rem; font-size: .9375rem }
.note { margin-top: 1.25rem; padding: .7rem 1rem; border: 1px solid var(--accent); border-radius: 12px;
  background: var(--card); color: inherit }
.note a { color: var(--accent) }
dl { margin: 0; padding: .25rem 1rem; border: 1px solid var(--line); border-radius: 12px; background: var(--card) }
dl div { display: grid; grid-template-columns: 9rem 1fr; gap: 0 1rem; padding: .5rem 0 }
dl div + div { border-top: 1px solid var(--line) }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
@media (max-width: 30rem) { dl div { grid-template-columns: 1fr } button.small { margin: .2rem 0 } }
";
