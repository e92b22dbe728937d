//! The guide lists what there is.

use std::{collections::BTreeSet, fs, path::Path};

/// What begins with `prefix` in a text, as names of letters, dots and underscores.
fn names(text: &str, prefix: &str) -> BTreeSet<String> {
    let part = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
    text.match_indices(prefix)
        .map(|(at, _)| {
            let name: String = text[at..].chars().take_while(|&c| part(c)).collect();
            name.trim_end_matches('.').to_owned()
        })
        .collect()
}

fn library() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../authkit-actix"))
}

fn guide() -> String {
    fs::read_to_string(library().join("guide/observability.md")).expect("the guide")
}

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a folder").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|it| it == "rs") {
            *text += &fs::read_to_string(path).expect("a text");
        }
    }
}

#[test]
fn the_guide_lists_every_metric_and_no_other() {
    let source = fs::read_to_string(library().join("src/metrics.rs")).expect("a source");
    assert_eq!(names(&guide(), "authkit_"), {
        let mut all = names(&source, "authkit_");
        all.insert("authkit_actix".to_owned());
        all
    });
}

#[test]
fn the_guide_lists_every_span_and_no_other() {
    let mut text = String::new();
    sources(&library().join("src"), &mut text);
    let made: BTreeSet<_> = text
        .split("span!(")
        .skip(1)
        .filter_map(|call| call.split('"').nth(1))
        .map(str::to_owned)
        .collect();
    assert!(made.contains("authkit.callback"), "{made:?}");
    let guide = guide();
    let rows = guide.lines().filter(|line| line.starts_with("| `authkit."));
    let listed: BTreeSet<_> = rows
        .filter_map(|row| row.split('`').nth(1))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, made);
}
