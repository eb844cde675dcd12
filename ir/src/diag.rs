//! The one error type of the workspace: a code, a place, a cause and a help line.
//!
//! A [`Diag`] is something the user can act on. [`Diags`] collects several, so that one run reports everything it found.

use std::fmt;

/// Stable codes of user-facing errors; documented in `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A file could not be read or written.
    Io,
    /// A file is not what its format says (truncated, corrupt, too large, climbing out of its folder).
    Format,
    /// An operator, attribute, opset or data type that netfold does not support.
    Unsupported,
    /// The network contradicts itself: shapes, missing inputs, cycles, ranges.
    Invalid,
    /// A configuration key or value is unknown or out of range.
    Config,
    /// Command-line arguments contradict each other or the model.
    Usage,
    /// The design does not fit the board, or a target cannot be met.
    DoesNotFit,
    /// Outputs differ from what was expected.
    Mismatch,
    /// An external tool is missing or failed.
    Tool,
    /// netfold broke one of its own invariants: our bug, not the user's.
    Internal,
}

impl Code {
    /// The code as printed, for example `E03`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Io => "E01",
            Code::Format => "E02",
            Code::Unsupported => "E03",
            Code::Invalid => "E04",
            Code::Config => "E05",
            Code::Usage => "E06",
            Code::DoesNotFit => "E07",
            Code::Mismatch => "E08",
            Code::Tool => "E09",
            Code::Internal => "E99",
        }
    }

    /// Exit status of a run that ends with this error: 1 when the result differs or does not fit, otherwise 2.
    pub fn exit_status(self) -> i32 {
        match self {
            Code::DoesNotFit | Code::Mismatch => 1,
            Code::Io
            | Code::Format
            | Code::Unsupported
            | Code::Invalid
            | Code::Config
            | Code::Usage
            | Code::Tool
            | Code::Internal => 2,
        }
    }
}

/// One error: what went wrong, where, and what would work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diag {
    /// Kind of error.
    pub code: Code,
    /// Node, key, file or line at fault; empty when the whole call is.
    pub place: String,
    /// What is wrong, in one sentence without a final full stop.
    pub cause: String,
    /// What the user can do; empty when nothing is known.
    pub help: String,
}

impl Diag {
    /// A new error without help.
    pub fn new(code: Code, place: impl Into<String>, cause: impl Into<String>) -> Diag {
        Diag { code, place: place.into(), cause: cause.into(), help: String::new() }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diag {
        self.help = help.into();
        self
    }

    /// A broken invariant of netfold itself.
    pub fn internal(place: impl Into<String>, cause: impl Into<String>) -> Diag {
        Diag::new(Code::Internal, place, cause).help("this is a bug in netfold: please report it with the model")
    }
}

/// Writes text with control characters and those that change the direction of text escaped, so that names from a model cannot forge
/// lines of a message.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        let invisible =
            matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || invisible {
            write!(f, "{}", c.escape_default())?;
        } else {
            write!(f, "{c}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Diag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]", self.code.as_str())?;
        if !self.place.is_empty() {
            f.write_str(" at ")?;
            escaped(f, &self.place)?;
        }
        f.write_str(": ")?;
        escaped(f, &self.cause)?;
        if !self.help.is_empty() {
            f.write_str("\n  help: ")?;
            escaped(f, &self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diag {}

/// One or more errors of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diags(Vec<Diag>);

impl Diags {
    /// An empty collection.
    pub fn new() -> Diags {
        Diags(Vec::new())
    }

    /// Adds one error.
    pub fn push(&mut self, diag: Diag) {
        self.0.push(diag);
    }

    /// Adds all errors of another collection.
    pub fn extend(&mut self, other: Diags) {
        self.0.extend(other.0);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors in the order found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diag> {
        self.0.iter()
    }

    /// `Ok(value)` when nothing was found, otherwise the errors.
    pub fn into_result<T>(self, value: T) -> Result<T, Diags> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Keeps the value of a result, or records its error and returns `None`.
    pub fn take<T>(&mut self, result: Result<T, Diag>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(diag) => {
                self.push(diag);
                None
            }
        }
    }

    /// Exit status of a run that ends with these errors (the largest of them).
    pub fn exit_status(&self) -> i32 {
        self.0.iter().map(|d| d.code.exit_status()).max().unwrap_or(0)
    }
}

impl From<Diag> for Diags {
    fn from(diag: Diag) -> Diags {
        Diags(vec![diag])
    }
}

impl fmt::Display for Diags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diag) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diag}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diags {}

/// Nearest of `candidates` to `word` by edit distance, when it is near enough to be a likely misspelling.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|c| (edit_distance(&word.to_lowercase(), &c.to_lowercase()), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cannot_forge_lines() {
        let d = Diag::new(Code::Unsupported, "a\nb", "x\u{1b}[1m").help("h");
        assert_eq!(d.to_string(), "error[E03] at a\\nb: x\\u{1b}[1m\n  help: h");
    }

    #[test]
    fn nearest_finds_misspellings_only() {
        assert_eq!(nearest("ReuseFacto", ["ReuseFactor", "Strategy"]), Some("ReuseFactor"));
        assert_eq!(nearest("banana", ["ReuseFactor", "Strategy"]), None);
    }
}
