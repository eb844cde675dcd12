//! C++ identifiers of a project, each given once.

use netfold_ir::diag::{Code, Diag};
use std::collections::HashSet;

/// Longest name of a project.
const LENGTH: usize = 64;

/// Names that the generated files use, and macros of the C++ library and of compilers.
const TAKEN: [&str; 15] = [
    "hls",
    "nf",
    "std",
    "ap_int",
    "ap_uint",
    "ap_fixed",
    "ap_ufixed",
    "assert",
    "errno",
    "stdin",
    "stdout",
    "stderr",
    "parameters",
    "defines",
    "linux",
];

/// Words that C++ reserves and [`netfold_ir::names::identifier`] does not know.
const RESERVED: [&str; 16] = [
    "alignas",
    "alignof",
    "asm",
    "char16_t",
    "char32_t",
    "compl",
    "constexpr",
    "const_cast",
    "decltype",
    "dynamic_cast",
    "noexcept",
    "nullptr",
    "register",
    "reinterpret_cast",
    "static_assert",
    "static_cast",
];

/// Hands out identifiers.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// `base`, or `base` with the first number that makes it new.
    pub fn take(&mut self, base: String) -> String {
        if self.0.insert(base.clone()) {
            return base;
        }
        let fresh = (2usize..).map(|n| format!("{base}_{n}")).find(|c| !self.0.contains(c)).unwrap_or_default();
        self.0.insert(fresh.clone());
        fresh
    }
}

/// Checks that a project's name can be the name of a C++ function, a Verilog module and files.
pub(super) fn check_project(name: &str) -> Result<(), Diag> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.contains("__")
        && !name.ends_with('_')
        && name.len() <= LENGTH;
    let lower = name.to_ascii_lowercase();
    let reserved = netfold_ir::names::identifier(&lower, "n").strip_prefix("n_") == Some(lower.as_str())
        || TAKEN.contains(&lower.as_str())
        || RESERVED.contains(&lower.as_str());
    if plain && !reserved {
        return Ok(());
    }
    let cause = if plain { "the name is reserved" } else { "the name is not a plain identifier" };
    Err(Diag::new(Code::Config, format!("project name {name:?}"), cause).help(format!(
        "use a letter, then letters, digits and single underscores, at most {LENGTH} characters; for example \"myproject\""
    )))
}

/// A valid name of a project that resembles `name`, which may be any text: `name` itself where it is valid.
pub fn project_name(name: &str) -> String {
    if check_project(name).is_ok() {
        return name.to_string();
    }
    let base = netfold_ir::names::identifier(name, "n");
    if check_project(&base).is_ok() { base } else { format!("{base}_top") }
}

/// Checks that a part's name holds nothing that a script could mistake for a command.
pub(super) fn check_part(part: &str) -> Result<(), Diag> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/' | '+');
    if part.starts_with(|c: char| c.is_ascii_alphanumeric()) && part.chars().all(plain) && part.len() <= 100 {
        return Ok(());
    }
    Err(Diag::new(Code::Config, format!("part {part:?}"), "the name is not an ordering code")
        .help("give a part as the vendor writes it, for example xcvu13p-flga2577-2-e"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tools_would_misread_are_refused() {
        for name in
            ["", "1a", "a b", "a;b", "a__b", "a_", "class", "Main", "parameters", "errno", "nullptr", "[exec]", "é"]
        {
            assert_eq!(check_project(name).unwrap_err().code, Code::Config, "{name:?}");
        }
        assert!(check_project(&"a".repeat(65)).is_err());
        for name in ["myproject", "MyProject2", "jet_tagger"] {
            assert!(check_project(name).is_ok(), "{name}");
        }
        for part in ["", "xc7; exec", "-part", "a b", "x[pwd]", "x$y", "x\n"] {
            assert!(check_part(part).is_err(), "{part:?}");
        }
        assert!(check_part("xcvu13p-flga2577-2-e").is_ok());
    }

    #[test]
    fn any_name_becomes_a_valid_one() {
        for name in ["jet_tagger", "MyProject"] {
            assert_eq!(project_name(name), name);
        }
        for name in ["std", "errno", "a b", "", "class", "1", "nullptr", "a__b_", "défines", "linux"] {
            assert!(check_project(&project_name(name)).is_ok(), "{name:?}: {}", project_name(name));
        }
    }

    #[test]
    fn names_are_given_once() {
        let mut names = Names::default();
        let got: Vec<String> = (0..3).map(|_| names.take("a_out".into())).collect();
        assert_eq!(got, ["a_out", "a_out_2", "a_out_3"]);
    }
}
