//! Identifiers made from the model's names, which are arbitrary data.

use std::collections::HashSet;

/// Longest identifier made here; suffixes are added up to the 60 characters that the hardware verifier allows.
const LENGTH: usize = 44;

/// Words that Verilog, SystemVerilog, C++ or Tcl reserve and that a name could become.
const RESERVED: [&str; 60] = [
    "always",
    "and",
    "assign",
    "auto",
    "begin",
    "bit",
    "bool",
    "buf",
    "byte",
    "case",
    "cell",
    "char",
    "class",
    "config",
    "const",
    "default",
    "define",
    "design",
    "do",
    "else",
    "end",
    "enum",
    "event",
    "final",
    "float",
    "for",
    "force",
    "function",
    "generate",
    "if",
    "initial",
    "input",
    "inout",
    "int",
    "integer",
    "logic",
    "long",
    "main",
    "module",
    "namespace",
    "new",
    "nor",
    "not",
    "or",
    "output",
    "parameter",
    "primitive",
    "real",
    "reg",
    "return",
    "short",
    "signed",
    "string",
    "table",
    "task",
    "time",
    "union",
    "void",
    "while",
    "wire",
];

/// A lower-case identifier that resembles `name`; `fallback` when nothing of it is usable.
pub fn identifier(name: &str, fallback: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if out.len() >= LENGTH {
            break;
        }
    }
    let out = out.trim_matches('_');
    if out.is_empty() {
        return fallback.to_string();
    }
    let starts_well = out.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_well && !RESERVED.contains(&out) { out.to_string() } else { format!("n_{out}") }
}

/// Hands out identifiers, each once.
#[derive(Debug, Clone, Default)]
pub struct Identifiers(HashSet<String>);

impl Identifiers {
    /// A new identifier that resembles `name`.
    pub fn take(&mut self, name: &str, fallback: &str) -> String {
        let base = identifier(name, fallback);
        let mut candidate = base.clone();
        let mut n = 1usize;
        while !self.0.insert(candidate.clone()) {
            n += 1;
            candidate = format!("{base}_{n}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_identifiers() {
        let mut ids = Identifiers::default();
        for name in ["fc1/MatMul:0", "", "module", "a\"; $finish; //", "été\n", "1", "1", "__"] {
            let id = ids.take(name, "layer");
            assert!(id.starts_with(|c: char| c.is_ascii_lowercase()), "{id}");
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{id}");
        }
        assert_eq!(identifier("fc1/MatMul:0", "x"), "fc1_matmul_0");
        assert_eq!(identifier("module", "x"), "n_module");
    }
}
