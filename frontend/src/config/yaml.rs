//! YAML text into a tree that knows the line of every key and value, in bounded memory.
//!
//! serde alone cannot do this: its errors carry one line and end the run at the first of them. Aliases are expanded within
//! the node budget, so that a few hundred bytes cannot become gigabytes.

use netfold_ir::diag::{Code, Diag};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// Longest configuration, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Most nodes of a configuration, aliases expanded.
const MAX_NODES: usize = 100_000;
/// Deepest nesting. hls4ml's own configurations nest five deep.
const MAX_DEPTH: usize = 32;

/// A value and the line (from 1) on which it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub line: usize,
    pub value: Value,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar as written; `plain` when it stood without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    /// Keys in the order written, each with its line; no key twice.
    Mapping(Vec<(String, usize, Node)>),
}

impl Value {
    /// What this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar { .. } => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

/// A sequence or mapping that is not complete yet.
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value comes next, in a mapping.
    key: Option<(String, usize)>,
    /// Lines of the keys seen so far, in a mapping.
    seen: HashMap<String, usize>,
    /// Nodes that existed before this one, to know the size of what an anchor names.
    before: usize,
}

/// Builds the tree from the parser's events.
struct Builder<'a> {
    file: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    /// Finished anchors with their size in nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    /// Nodes kept in `anchors`; nested anchors keep the same nodes several times.
    anchored: usize,
}

/// The one document of `text`; [`Value::Null`] when it is empty. `file` is its name in messages.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Diag> {
    if text.len() > MAX_BYTES {
        return Err(Diag::new(Code::Format, file, format!("the configuration is longer than {MAX_BYTES} bytes")));
    }
    let mut builder = Builder { file, open: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0, anchored: 0 };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| {
            Diag::new(Code::Format, format!("{file}, line {}", e.marker().line()), format!("not YAML: {}", e.info()))
        })?;
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err(builder.error(span, "a configuration is one YAML document, and here a second one starts"));
            }
        }
        builder.event(event, span)?;
    }
    Ok(builder.root.unwrap_or(Node { line: 1, value: Value::Null }))
}

impl Builder<'_> {
    fn error(&self, span: Span, cause: impl Into<String>) -> Diag {
        Diag::new(Code::Format, format!("{}, line {}", self.file, span.start.line()), cause)
    }

    /// Counts `n` more nodes.
    fn spend(&mut self, n: usize, span: Span) -> Result<(), Diag> {
        self.nodes += n;
        if self.nodes > MAX_NODES {
            return Err(self.error(span, format!("more than {MAX_NODES} values, aliases expanded")));
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diag> {
        let line = span.start.line();
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
            Event::Scalar(text, style, anchor, _) => {
                self.spend(1, span)?;
                let plain = style == ScalarStyle::Plain;
                let value = match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                    _ => Value::Scalar { text: text.into_owned(), plain },
                };
                let node = Node { line, value };
                self.remember(anchor, &node, 1, span)?;
                self.attach(node, span)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(self.error(span, "an alias inside the value that it names"));
                };
                self.spend(size, span)?;
                self.attach(Node { line, ..node }, span)
            }
            Event::SequenceStart(anchor, _) => self.start(Value::Sequence(Vec::new()), anchor, span),
            Event::MappingStart(anchor, _) => self.start(Value::Mapping(Vec::new()), anchor, span),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => {
                    let size = self.nodes - done.before;
                    self.remember(done.anchor, &done.node, size, span)?;
                    self.attach(done.node, span)
                }
                None => Err(self.error(span, "an end without a start")),
            },
        }
    }

    fn start(&mut self, value: Value, anchor: usize, span: Span) -> Result<(), Diag> {
        if self.open.len() == MAX_DEPTH {
            return Err(self.error(span, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let before = self.nodes;
        self.spend(1, span)?;
        self.open.push(Open {
            node: Node { line: span.start.line(), value },
            anchor,
            key: None,
            seen: HashMap::new(),
            before,
        });
        Ok(())
    }

    /// Keeps what an anchor names.
    fn remember(&mut self, anchor: usize, node: &Node, size: usize, span: Span) -> Result<(), Diag> {
        if anchor != 0 {
            self.anchored += size;
            if self.anchored > MAX_NODES {
                return Err(self.error(span, format!("anchors name more than {MAX_NODES} values")));
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn attach(&mut self, node: Node, span: Span) -> Result<(), Diag> {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.value {
            Value::Sequence(items) => items.push(node),
            Value::Mapping(entries) => match parent.key.take() {
                Some((key, line)) => entries.push((key, line, node)),
                None => {
                    let key = match node.value {
                        Value::Scalar { text, .. } => text,
                        Value::Null => String::new(),
                        Value::Sequence(_) | Value::Mapping(_) => {
                            return Err(self.error(span, "a key must be a single value"));
                        }
                    };
                    if let Some(first) = parent.seen.insert(key.clone(), node.line) {
                        let cause = format!("the key {key:?} stands here a second time, first in line {first}");
                        return Err(self.error(span, cause));
                    }
                    parent.key = Some((key, node.line));
                }
            },
            Value::Null | Value::Scalar { .. } => return Err(Diag::internal(self.file, "a scalar cannot have parts")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_lines() {
        let tree = parse("f", "a: 1\nb:\n  c: [x,\n      'y']\n").unwrap();
        let Value::Mapping(top) = tree.value else { panic!() };
        assert_eq!((top[0].0.as_str(), top[0].1), ("a", 1));
        let Value::Mapping(b) = &top[1].2.value else { panic!() };
        assert_eq!((b[0].0.as_str(), b[0].1), ("c", 3));
        let Value::Sequence(c) = &b[0].2.value else { panic!() };
        assert_eq!(c[1], Node { line: 4, value: Value::Scalar { text: "y".into(), plain: false } });
    }

    #[test]
    fn aliases_expand_within_the_budget() {
        let tree = parse("f", "a: &x {p: 1}\nb: *x\n").unwrap();
        let Value::Mapping(top) = tree.value else { panic!() };
        assert_eq!(top[0].2.value, top[1].2.value);
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..20 {
            let refs = vec![format!("*a{}", i - 1); 10].join(", ");
            laughs.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        assert!(parse("f", &laughs).unwrap_err().cause.contains("aliases expanded"));
        assert!(parse("f", "a: &x [*x]\n").is_err());
        assert!(parse("f", "a: *nobody\n").is_err());
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in ["[".repeat(500_000), "{a: ".repeat(200_000), "- ".repeat(400_000), "? ".repeat(400_000)] {
            assert!(parse("f", &text).is_err(), "{}", &text[..8]);
        }
        assert!(parse("f", &" ".repeat(MAX_BYTES + 1)).unwrap_err().cause.contains("longer"));
        assert!(parse("f", &"- x\n".repeat(200_000)).unwrap_err().cause.contains("more than"));
        assert_eq!(parse("f", "a: 1\na: 2\n").unwrap_err().place, "f, line 2");
        assert!(parse("f", "--- 1\n--- 2\n").is_err());
        assert!(parse("f", "a: [1\nb: 2").is_err());
        assert!(parse("f", "\u{0}\u{1}: %").is_err());
        assert_eq!(parse("f", "").unwrap().value, Value::Null);
    }
}
