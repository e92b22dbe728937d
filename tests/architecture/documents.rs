//! What the documents say: links lead somewhere, tests and texts that are named exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

#[test]
fn no_local_link_is_dead() {
    let documents: BTreeMap<_, _> = documents().into_iter().collect();
    let mut dead = Vec::new();
    for (path, document) in &documents {
        for (_, link) in document.links.iter().filter(|(_, link)| is_local(link)) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.with_file_name(file),
            };
            let target = target.canonicalize().unwrap_or_default();
            let has_anchor = |document: &Document| document.anchors.contains(anchor);
            let is_alive = match documents.get(&target) {
                Some(document) => anchor.is_empty() || has_anchor(document),
                None => anchor.is_empty() && target.exists(),
            };
            if !is_alive {
                dead.push(format!("{} links to {link}", path.display()));
            }
        }
        for label in &document.undefined {
            dead.push(format!("{} leaves [{label}] undefined", path.display()));
        }
    }
    assert_eq!(dead, [""; 0]);
}

/// On docs.rs there are no files: `links.md`, which stands before each page there, leads the same
/// labels to modules.
#[test]
fn the_pages_of_the_guide_link_to_each_other_by_labels_that_docs_rs_knows() {
    let guide = root().join("authkit-actix/guide");
    let modules = fs::read_to_string(guide.join("links.md")).expect("the links");
    let mut wrong = Vec::new();
    for (path, document) in documents() {
        let is_page = path.parent() == Some(&guide) && !path.ends_with("links.md");
        let links = document.links.iter().filter(|_| is_page);
        for (kind, link) in links.filter(|(_, link)| is_local(link) && !link.starts_with('#')) {
            let label = link.strip_suffix(".md").unwrap_or(link);
            let by_label = !matches!(kind, LinkType::Inline);
            if !by_label || !modules.contains(&format!("[{label}]: crate::guide::")) {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_test_that_the_security_model_names_exists() {
    let tests: BTreeSet<_> = rust_files(&["tests", "authkit-actix/src"])
        .into_iter()
        .flat_map(|path| tests_in(&path))
        .collect();
    let text = read("authkit-actix/guide/security-model.md");
    let rows = text.lines().filter(|line| line.starts_with("| v5.0.0-"));
    let mut missing = Vec::new();
    let mut named = 0;
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next();
        let names: Vec<_> = codes(cell.unwrap_or_default()).collect();
        named += names.len();
        if names.is_empty() {
            missing.push(row.to_owned());
        }
        missing.extend(names.into_iter().filter(|name| !tests.contains(name)));
    }
    assert_eq!(missing, [""; 0]);
    assert!(named > 50, "only {named}: is the table where it was?");
}

#[test]
fn every_text_that_the_troubleshooting_is_keyed_by_stands_in_the_code() {
    let mut code = String::new();
    for path in rust_files(&["authkit-actix/src"]) {
        code += &joined(&fs::read_to_string(path).expect("a file"));
    }
    let readme = read("README.md");
    let section = readme
        .split("\n## ")
        .find(|part| part.starts_with("Troubleshooting"));
    let mut place = "";
    let mut missing = Vec::new();
    let mut looked_at = 0;
    for row in section
        .expect("the section")
        .lines()
        .filter(|line| line.starts_with('|'))
    {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [at, seen, _] = cells[..] else { continue };
        place = if at.is_empty() { place } else { at };
        if !["at start", "log"].contains(&place) {
            continue;
        }
        for text in codes(seen).filter(|text| text.contains(' ')) {
            looked_at += 1;
            if !text.split('…').all(|piece| code.contains(piece.trim())) {
                missing.push(text);
            }
        }
    }
    assert_eq!(missing, [""; 0]);
    assert!(
        looked_at > 10,
        "only {looked_at}: is the table where it was?"
    );
}

#[test]
fn every_option_of_the_builder_is_in_the_table_of_options() {
    let builder = read("authkit-actix/src/authkit/builder.rs");
    let table = read("authkit-actix/guide/configuration.md");
    let is_in_table = |option: &&str| !table.contains(&format!("`{option}`"));
    let options = builder.lines().filter_map(|line| {
        let option = line.strip_prefix("    pub fn ")?.split(['(', '<']).next()?;
        (!["build", "or_emulator"].contains(&option)).then_some(option)
    });
    assert_eq!(options.filter(is_in_table).collect::<Vec<_>>(), [""; 0]);
}

struct Document {
    links: Vec<(LinkType, String)>,
    /// What a `#` can lead to.
    anchors: BTreeSet<String>,
    /// Labels of links that are defined nowhere.
    undefined: Vec<String>,
}

/// Every Markdown file of the project.
fn documents() -> Vec<(PathBuf, Document)> {
    let mut paths = Vec::new();
    files(&root(), "md", &mut paths);
    assert!(paths.len() > 10, "is this the project's folder?");
    let read = |path: PathBuf| {
        let document = Document::read(&fs::read_to_string(&path).expect("a document"));
        (path, document)
    };
    paths.into_iter().map(read).collect()
}

impl Document {
    fn read(text: &str) -> Self {
        let mut document = Self {
            links: Vec::new(),
            anchors: BTreeSet::new(),
            undefined: Vec::new(),
        };
        let undefined = &mut document.undefined;
        let callback = |link: BrokenLink<'_>| {
            if !["Unreleased", "0.1.0"].contains(&&*link.reference) {
                undefined.push(link.reference.to_string());
            }
            None
        };
        let mut heading = None;
        let parser =
            Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(callback));
        for event in parser {
            match (event, &mut heading) {
                (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
                (Event::End(TagEnd::Heading(_)), Some(text)) => {
                    document.anchors.insert(anchor(text));
                    heading = None;
                }
                (Event::Text(part) | Event::Code(part), Some(text)) => text.push_str(&part),
                (
                    Event::Start(Tag::Link {
                        link_type,
                        dest_url,
                        ..
                    }),
                    _,
                ) => {
                    document.links.push((link_type, dest_url.to_string()));
                }
                _ => {}
            }
        }
        document
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    let anchor: String = heading.to_lowercase().chars().filter(kept).collect();
    anchor.replace(' ', "-")
}

fn is_local(link: &str) -> bool {
    !link.contains(':')
}

/// What stands between backticks.
fn codes(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Strings of several lines as one.
fn joined(code: &str) -> String {
    let mut lines = code.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |joined, line| joined + line.trim_start())
}

/// The tests of a file, as `module::name`.
fn tests_in(path: &Path) -> Vec<String> {
    let stem = |path: &Path| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let module = match stem(path).as_deref() {
        Some("tests" | "main" | "mod") => path.parent().and_then(stem),
        _ => stem(path),
    };
    let module = module.expect("a name");
    let text = fs::read_to_string(path).expect("a file");
    let after_test = text.split("test]\n").skip(1);
    let name = |after: &str| {
        let (_, rest) = after.split_once("fn ")?;
        Some(format!("{module}::{}", rest.split('(').next()?))
    };
    after_test.filter_map(name).collect()
}

fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        files(&root().join(folder), "rs", &mut found);
    }
    found
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&&*name)
        {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("a file of the project")
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the project's folder")
}
