//! Text that is safe wherever it is put: comments, and fields of scripts.

use std::fmt::Write;

/// Longest name repeated in a comment.
const MAX_COMMENT: usize = 100;

/// A name for a comment, a heading or a quoted field of any generated file: letters, digits, spaces and a few harmless signs as
/// they are, everything else as its Unicode scalar value (`U+002A`), at most 100 characters.
pub fn plain(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if out.len() >= MAX_COMMENT {
            out.push_str(" ...");
            break;
        }
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | ',' | ' ' | '-' | '+' | '=' => out.push(c),
            '/' if !out.ends_with(['/', '*']) => out.push(c),
            ':' => out.push(c),
            _ => {
                let _ = write!(out, "U+{:04X}", c as u32);
            }
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_cannot_leave_a_comment_or_a_string() {
        let hostile = "a\n`include \"x\" */ [exec rm] $(rm) {{b}} \\ ' # ; <b> | & \u{202e} //";
        let safe = plain(hostile);
        assert!(safe.is_ascii());
        for bad in ["\n", "`", "\"", "*/", "//", "[", "$", "{", "\\", "'", "#", ";", "<", "|", "&", "("] {
            assert!(!safe.contains(bad), "{bad:?} in {safe}");
        }
        assert!(plain(&"x".repeat(5000)).len() < 120);
    }
}
