//! Constant arrays as C++ text.

use std::fmt::Write;

/// Arrays of more entries than this go to files of their own below `weights/`.
const INLINE_ENTRIES: usize = 128;
/// Items of at most so many characters share a line.
const SHORT_ITEM: usize = 24;
/// Columns after which a line of a long row is broken.
const COLUMNS: usize = 116;

/// A constant array of plain C integers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Array {
    /// C++ identifier.
    pub name: String,
    /// What it holds, for a comment.
    pub about: String,
    /// Sizes, outermost first.
    pub dims: Vec<usize>,
    /// Entries, row-major.
    pub data: Vec<i64>,
    /// Banks into which the HLS tool has to split it.
    pub banks: usize,
    /// Directives of the top function about it, without `#pragma HLS` and `variable=`: `ARRAY_PARTITION`, `complete dim=2`.
    pub directives: Vec<(&'static str, String)>,
}

impl Array {
    /// Whether it is read more easily in a file of its own.
    pub fn is_large(&self) -> bool {
        self.data.len() > INLINE_ENTRIES
    }

    /// The narrowest C type that holds every entry.
    pub fn element(&self) -> &'static str {
        let lo = self.data.iter().copied().min().unwrap_or(0);
        let hi = self.data.iter().copied().max().unwrap_or(0);
        let fits = |bits: u32| lo >= -(1i64 << (bits - 1)) && hi < 1i64 << (bits - 1);
        match [8, 16, 32].into_iter().find(|b| fits(*b)) {
            Some(8) => "signed char",
            Some(16) => "short",
            Some(_) => "int",
            None => "long long",
        }
    }

    /// The definition, with a comment.
    pub fn definition(&self) -> String {
        let mut out = format!("// {}\nstatic const {} {}", self.about, self.element(), self.name);
        for d in &self.dims {
            let _ = write!(out, "[{d}]");
        }
        out.push_str(" = ");
        let mut data = self.data.as_slice();
        write_level(&mut out, &self.dims, &mut data, 0);
        out.push_str(";\n");
        out
    }
}

/// One brace level: rows of plain numbers, or the levels below.
fn write_level(out: &mut String, dims: &[usize], data: &mut &[i64], depth: usize) {
    let Some((&size, below)) = dims.split_first() else { return };
    if below.is_empty() {
        let (row, rest) = data.split_at(size.min(data.len()));
        *data = rest;
        write_row(out, row, depth);
        return;
    }
    let each: usize = below.iter().product();
    if each <= SHORT_ITEM {
        let (items, rest) = data.split_at((each * size).min(data.len()));
        let items: Vec<String> = items.chunks(each).map(|item| flat(below, item)).collect();
        if items.iter().all(|item| item.len() <= SHORT_ITEM) {
            *data = rest;
            write_items(out, &items, depth);
            return;
        }
    }
    out.push_str("{\n");
    for i in 0..size {
        out.push_str(&"    ".repeat(depth + 1));
        write_level(out, below, data, depth + 1);
        out.push_str(if i + 1 < size { ",\n" } else { "\n" });
    }
    out.push_str(&"    ".repeat(depth));
    out.push('}');
}

/// All of an item on one line.
fn flat(dims: &[usize], data: &[i64]) -> String {
    let parts: Vec<String> = match dims.split_first() {
        Some((size, below)) if !below.is_empty() => {
            data.chunks((data.len() / size).max(1)).map(|d| flat(below, d)).collect()
        }
        _ => data.iter().map(|v| literal(*v)).collect(),
    };
    format!("{{{}}}", parts.join(", "))
}

fn write_row(out: &mut String, row: &[i64], depth: usize) {
    let numbers: Vec<String> = row.iter().map(|v| literal(*v)).collect();
    write_items(out, &numbers, depth);
}

/// Items between braces, on one line where they fit.
fn write_items(out: &mut String, items: &[String], depth: usize) {
    let width: usize = items.iter().map(|n| n.len() + 2).sum();
    if width + depth * 4 <= COLUMNS {
        let _ = write!(out, "{{{}}}", items.join(", "));
        return;
    }
    let indent = "    ".repeat(depth + 1);
    out.push_str("{\n");
    let mut line = indent.clone();
    for (i, item) in items.iter().enumerate() {
        if line.len() + item.len() + 1 > COLUMNS {
            out.push_str(line.trim_end());
            out.push('\n');
            line = indent.clone();
        }
        line.push_str(item);
        line.push_str(if i + 1 < items.len() { ", " } else { "" });
    }
    out.push_str(&line);
    let _ = write!(out, "\n{}}}", "    ".repeat(depth));
}

/// A C++ literal of the value.
pub(super) fn literal(v: i64) -> String {
    if v == i64::MIN {
        format!("({}LL - 1)", v + 1)
    } else if i32::try_from(v).is_ok_and(|n| n != i32::MIN) {
        v.to_string()
    } else {
        format!("{v}LL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dims: &[usize], data: &[i64]) -> Array {
        let (about, directives) = ("Numbers".into(), Vec::new());
        Array { name: "a".into(), about, dims: dims.into(), data: data.into(), banks: 1, directives }
    }

    #[test]
    fn nested_braces_follow_the_dimensions() {
        let text = array(&[2, 1, 2], &[1, -2, 3, 4]).definition();
        assert_eq!(text, "// Numbers\nstatic const signed char a[2][1][2] = {{{1, -2}}, {{3, 4}}};\n");
        let text = array(&[2, 9], &[123; 18]).definition();
        let row = "{123, 123, 123, 123, 123, 123, 123, 123, 123}";
        assert_eq!(text, format!("// Numbers\nstatic const signed char a[2][9] = {{\n    {row},\n    {row}\n}};\n"));
    }

    #[test]
    fn long_rows_are_broken_and_types_follow_the_values() {
        let text = array(&[60], &vec![-100_000; 60]).definition();
        assert!(text.contains("static const int a[60]"));
        assert!(text.lines().all(|l| l.len() <= COLUMNS), "{text}");
        assert_eq!(text.matches("-100000").count(), 60);
        assert_eq!(array(&[1], &[1 << 40]).element(), "long long");
        assert_eq!([literal(i64::MIN), literal(1 << 40)], ["(-9223372036854775807LL - 1)", "1099511627776LL"]);
    }
}
