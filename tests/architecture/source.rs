use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// A file of the library, its unit tests aside.
pub(crate) struct Source {
    /// `crate::web::guard`.
    pub(crate) module: String,
    /// Every path that the file imports or writes, in full: `std::env::var_os`, `crate::token::Jwks`.
    pub(crate) names: BTreeSet<String>,
}

impl Source {
    /// Every file of the library.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../authkit-actix/src");
        let mut sources = Vec::new();
        read_folder(&root, &["crate".to_owned()], &mut sources);
        sources
    }

    fn read(module: &[String], text: &str) -> Self {
        let mut paths = Paths::default();
        paths.read(text.parse().expect("Rust"));
        let inner = |name: String| (name.clone(), [module, &[name]].concat());
        let imported: Vec<_> = paths
            .imported
            .into_iter()
            .map(|(name, path)| (name, resolve(module, &path)))
            .chain(paths.modules.into_iter().map(inner))
            .collect();
        let known: BTreeMap<_, _> = imported.iter().cloned().collect();
        let written = paths.written.iter().map(|path| match known.get(&path[0]) {
            Some(known) => [known, &path[1..]].concat(),
            None => resolve(module, path),
        });
        let imported = imported.iter().map(|(_, path)| path.clone());
        Self {
            module: module.join("::"),
            names: written
                .chain(imported)
                .map(|path| path.join("::"))
                .collect(),
        }
    }
}

fn read_folder(folder: &Path, module: &[String], sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let stem = stem.expect("a name in UTF-8");
        let inner = [module, &[stem.to_owned()]].concat();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if path.is_dir() {
            read_folder(&path, &inner, sources);
        } else if is_rust && stem != "tests" {
            let is_folder = matches!(stem, "lib" | "mod");
            let module = if is_folder { module } else { &inner };
            let text = fs::read_to_string(&path).expect("a text");
            sources.push(Source::read(module, &text));
        }
    }
}

/// The path from the root of its crate.
fn resolve(module: &[String], path: &[String]) -> Vec<String> {
    let is_relative = matches!(path[0].as_str(), "self" | "super");
    let mut full = if is_relative { module.to_vec() } else { vec![] };
    for segment in path {
        match segment.as_str() {
            "self" => {}
            "super" => drop(full.pop()),
            _ => full.push(segment.clone()),
        }
    }
    full
}

/// The paths in a file as it writes them.
#[derive(Default)]
struct Paths {
    /// With the name that each goes by from then on.
    imported: Vec<(String, Vec<String>)>,
    modules: Vec<String>,
    written: Vec<Vec<String>>,
}

impl Paths {
    /// Reads tokens rather than syntax, so that the arguments of macros are read as well.
    fn read(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) if is_test_attribute(&group) => {
                    // Skips what it stands on.
                    tokens.find(|token| is_punct(token, ';') || is_braces(token));
                }
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(ident) if ident == "use" => {
                    let tree = tokens.by_ref().take_while(|token| !is_punct(token, ';'));
                    self.import(&[], &tree.collect::<Vec<_>>());
                }
                TokenTree::Ident(ident) if ident == "mod" => {
                    self.modules
                        .extend(tokens.next().map(|name| name.to_string()));
                }
                TokenTree::Ident(ident) => {
                    let mut path = vec![ident.to_string()];
                    while tokens.next_if(is_half_of_two_colons).is_some() {
                        tokens.next();
                        match tokens.peek() {
                            Some(TokenTree::Ident(ident)) => path.push(ident.to_string()),
                            _ => break,
                        }
                        tokens.next();
                    }
                    if path.len() > 1 {
                        self.written.push(path);
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads what stands between `use` and `;`, or in its braces.
    fn import(&mut self, prefix: &[String], tree: &[TokenTree]) {
        let branches = tree.split(|token| is_punct(token, ','));
        for branch in branches.filter(|branch| !branch.is_empty()) {
            let mut path = prefix.to_vec();
            let mut name = None;
            let mut tokens = branch.iter();
            while let Some(token) = tokens.next() {
                match token {
                    TokenTree::Ident(ident) if ident == "as" => name = tokens.next(),
                    TokenTree::Ident(ident) => path.push(ident.to_string()),
                    TokenTree::Group(group) => {
                        let branches: Vec<_> = group.stream().into_iter().collect();
                        self.import(&path, &branches);
                        path.clear();
                    }
                    TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                }
            }
            let last = path.iter().rfind(|segment| *segment != "self").cloned();
            let name = name.map(ToString::to_string).or(last);
            self.imported.extend(name.map(|name| (name, path)));
        }
    }
}

fn is_test_attribute(group: &Group) -> bool {
    group.to_string().replace(' ', "") == "[cfg(test)]"
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_half_of_two_colons(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
}

fn is_braces(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}
