//! Typed reading of the YAML tree: every mistake is recorded with key, line and nearest valid name, and reading goes on.

use super::yaml::{Node, Value};
use super::{Precision, Warning};
use netfold_ir::diag::{Code, Diag, Diags, nearest};
use std::ops::RangeInclusive;

/// Everything found wrong, or not honoured, in one configuration.
pub(crate) struct Report<'a> {
    file: &'a str,
    pub errors: Diags,
    /// Key, reason, and the lines where it stands.
    ignored: Vec<(String, String, Vec<usize>)>,
}

/// A key with its value and its place.
#[derive(Clone)]
pub(crate) struct Item<'t> {
    /// Keys from the top, joined by dots.
    pub path: String,
    /// The last key.
    pub key: &'t str,
    pub line: usize,
    pub node: &'t Node,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str) -> Report<'a> {
        Report { file, errors: Diags::new(), ignored: Vec::new() }
    }

    /// The place of an item, as messages give it.
    fn place(&self, item: &Item<'_>) -> String {
        match item.path.as_str() {
            "" => format!("{}, line {}", self.file, item.line),
            path => format!("{}, line {}, key {path:?}", self.file, item.line),
        }
    }

    /// Records an error at an item.
    pub(crate) fn error(&mut self, item: &Item<'_>, cause: impl Into<String>, help: impl Into<String>) {
        self.errors.push(Diag::new(Code::Config, self.place(item), cause).help(help));
    }

    /// Records a key that is known but has no effect, once for all the lines where it stands.
    pub(crate) fn ignore(&mut self, item: &Item<'_>, reason: &str) {
        match self.ignored.iter_mut().find(|(k, r, _)| k == item.key && r == reason) {
            Some((_, _, lines)) => lines.push(item.line),
            None => self.ignored.push((item.key.to_string(), reason.to_string(), vec![item.line])),
        }
    }

    /// Records a key that is none of `valid`.
    pub(crate) fn unknown(&mut self, item: &Item<'_>, valid: &[&str]) {
        self.error(item, format!("there is no key {:?} here", item.key), suggestion(item.key, valid));
    }

    /// The warnings, in the order of their first lines.
    pub(crate) fn warnings(self) -> Vec<Warning> {
        let file = self.file;
        let warning = |(key, reason, lines): (String, String, Vec<usize>)| {
            let shown: Vec<String> = lines.iter().take(5).map(usize::to_string).collect();
            let more = if lines.len() > shown.len() {
                format!(" and {} more", lines.len() - shown.len())
            } else {
                String::new()
            };
            let plural = if lines.len() > 1 { "s" } else { "" };
            Warning { place: format!("{file}, line{plural} {}{more}, key {key:?}", shown.join(", ")), reason }
        };
        self.ignored.into_iter().map(warning).collect()
    }

    /// The entries of a mapping; none (with an error) for another kind of value, none for an empty one.
    pub(crate) fn entries<'t>(&mut self, item: &Item<'t>) -> Vec<Item<'t>> {
        match &item.node.value {
            Value::Mapping(entries) => entries
                .iter()
                .map(|(key, line, node)| Item {
                    path: if item.path.is_empty() { key.clone() } else { format!("{}.{key}", item.path) },
                    key,
                    line: *line,
                    node,
                })
                .collect(),
            Value::Null => Vec::new(),
            other => {
                let cause = format!("a mapping of keys and values is expected, and here is {}", other.kind());
                self.error(item, cause, "");
                Vec::new()
            }
        }
    }

    /// The text of a single value.
    pub(crate) fn text<'t>(&mut self, item: &Item<'t>) -> Option<&'t str> {
        match &item.node.value {
            Value::Scalar { text, .. } => Some(text),
            Value::Null => None,
            other => {
                self.error(item, format!("a single value is expected, and here is {}", other.kind()), "");
                None
            }
        }
    }

    /// A text of the user's own (a path, a name): at most 4096 bytes, without control characters.
    pub(crate) fn string(&mut self, item: &Item<'_>) -> Option<String> {
        let text = self.text(item)?;
        if text.len() > 4096 || text.chars().any(char::is_control) {
            self.error(item, "a text of at most 4096 bytes without control characters is expected", "");
            return None;
        }
        Some(text.to_string())
    }

    /// A whole number in `range`.
    pub(crate) fn integer(&mut self, item: &Item<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let text = self.text(item)?;
        match text.parse::<u64>() {
            Ok(n) if range.contains(&n) => Some(n),
            _ => {
                let cause = format!("{text:?} is not a whole number from {} to {}", range.start(), range.end());
                self.error(item, cause, "");
                None
            }
        }
    }

    /// A finite number in `range`.
    pub(crate) fn number(&mut self, item: &Item<'_>, range: RangeInclusive<f64>) -> Option<f64> {
        let text = self.text(item)?;
        self.number_in(item, text, range)
    }

    /// A finite number in `range`, in a part of the item's text.
    pub(crate) fn number_in(&mut self, item: &Item<'_>, text: &str, range: RangeInclusive<f64>) -> Option<f64> {
        match text.trim().parse::<f64>() {
            Ok(x) if x.is_finite() && range.contains(&x) => Some(x),
            _ => {
                let cause = format!("{text:?} is not a number from {} to {}", range.start(), range.end());
                self.error(item, cause, "");
                None
            }
        }
    }

    /// A truth value, in the words of YAML 1.1 (which Python writes) and 1.2, or 0 and 1.
    pub(crate) fn boolean(&mut self, item: &Item<'_>) -> Option<bool> {
        let text = self.text(item)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => {
                self.error(item, format!("{text:?} is neither true nor false"), "");
                None
            }
        }
    }

    /// One of some words, compared without case, `-` and `_`.
    pub(crate) fn choice<T: Copy>(&mut self, item: &Item<'_>, choices: &[(&str, T)]) -> Option<T> {
        let plain = |s: &str| s.replace(['_', '-'], "").to_ascii_lowercase();
        let text = self.text(item)?;
        match choices.iter().find(|(word, _)| plain(word) == plain(text)) {
            Some((_, value)) => Some(*value),
            None => {
                let words: Vec<&str> = choices.iter().map(|(w, _)| *w).collect();
                self.error(item, format!("{text:?} is none of the values of this key"), suggestion(text, &words));
                None
            }
        }
    }

    /// A precision, [`Precision`].
    pub(crate) fn precision(&mut self, item: &Item<'_>) -> Option<Precision> {
        let text = self.text(item)?;
        match Precision::parse(text) {
            Ok(precision) => Some(precision),
            Err((cause, help)) => {
                self.error(item, cause, help);
                None
            }
        }
    }
}

/// A help line: the nearest valid word, or all of them.
pub(crate) fn suggestion(word: &str, valid: &[&str]) -> String {
    match nearest(word, valid.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("valid here: {}", valid.join(", ")),
    }
}
