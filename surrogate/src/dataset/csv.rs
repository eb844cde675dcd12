//! Comma-separated values as RFC 4180 has them: quoted fields, doubled quotes, quoted line breaks.

use netfold_ir::diag::{Code, Diag, Diags};

/// A table of text.
pub(crate) struct Csv {
    place: String,
    header: Vec<String>,
    /// Fields of each row, and the line it starts on.
    pub(crate) rows: Vec<(usize, Vec<String>)>,
}

impl Csv {
    /// Splits text into rows of as many fields as the header has. Empty lines are skipped.
    pub(crate) fn parse(text: &str, place: &str) -> Result<Csv, Diags> {
        let mut errors = Diags::new();
        let mut records = records(text, place)?.into_iter();
        let Some((_, header)) = records.next() else {
            return Err(Diag::new(Code::Format, place, "the table is empty").into());
        };
        let header: Vec<String> = header.into_iter().map(|h| h.trim().to_string()).collect();
        let mut rows = Vec::new();
        for (line, fields) in records {
            if fields.len() == header.len() {
                rows.push((line, fields));
            } else {
                let cause = format!("the row has {} fields, the header {}", fields.len(), header.len());
                errors.push(Diag::new(Code::Format, format!("{place}:{line}"), cause));
            }
        }
        errors.into_result(Csv { place: place.to_string(), header, rows })
    }

    /// Names of all columns.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// Index of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }

    /// Index of a column that must be there.
    pub(crate) fn need(&self, name: &str) -> Result<usize, Diag> {
        self.column(name).ok_or_else(|| {
            Diag::new(Code::Format, format!("{}:1", self.place), format!("the column `{name}` is missing"))
        })
    }

    /// An error at a line.
    pub(crate) fn error(&self, line: usize, cause: impl Into<String>) -> Diag {
        Diag::new(Code::Format, format!("{}:{line}", self.place), cause)
    }

    /// A finite number that is not negative; `None` when the field is empty.
    pub(crate) fn number(&self, line: usize, name: &str, field: &str) -> Result<Option<f64>, Diag> {
        let field = field.trim();
        if field.is_empty() {
            return Ok(None);
        }
        match field.parse::<f64>() {
            Ok(v) if v.is_finite() && v >= 0.0 => Ok(Some(v)),
            _ => Err(self.error(line, format!("`{name}` is `{field}`, not a number of at least 0"))),
        }
    }

    /// A whole number from `low` to `high`.
    pub(crate) fn whole(&self, line: usize, name: &str, field: &str, low: u32, high: u32) -> Result<u32, Diag> {
        match field.trim().parse::<u32>() {
            Ok(v) if (low..=high).contains(&v) => Ok(v),
            _ => Err(self.error(line, format!("`{name}` is `{field}`, not a whole number from {low} to {high}"))),
        }
    }
}

/// Records with the line each starts on, from 1.
fn records(text: &str, place: &str) -> Result<Vec<(usize, Vec<String>)>, Diag> {
    let mut out = Vec::new();
    let mut fields: Vec<String> = Vec::new();
    let mut field = String::new();
    let (mut line, mut start) = (1usize, 1usize);
    let mut quoted = false;
    let mut any = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => {
                quoted = true;
                any = true;
            }
            _ if quoted => field.push(c),
            ',' => {
                fields.push(std::mem::take(&mut field));
                any = true;
            }
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                if any || !field.is_empty() {
                    fields.push(std::mem::take(&mut field));
                    out.push((start, std::mem::take(&mut fields)));
                }
                any = false;
                start = line;
            }
            _ => field.push(c),
        }
    }
    if quoted {
        return Err(Diag::new(Code::Format, format!("{place}:{start}"), "a quoted field does not end"));
    }
    if any || !field.is_empty() {
        fields.push(field);
        out.push((start, fields));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_lines() {
        let csv = Csv::parse("a,b\n1,\"x, \"\"y\"\"\nz\"\n\n2,3\r\n", "t.csv").unwrap();
        assert_eq!(csv.rows[0], (2, vec!["1".into(), "x, \"y\"\nz".into()]));
        assert_eq!(csv.rows[1], (5, vec!["2".into(), "3".into()]));
        assert_eq!(csv.column("b"), Some(1));
    }

    #[test]
    fn bad_rows_name_their_line() {
        let e = Csv::parse("a,b\n1,2\n3\n4,5,6\n", "t.csv").err().unwrap();
        let places: Vec<&str> = e.iter().map(|d| d.place.as_str()).collect();
        assert_eq!(places, ["t.csv:3", "t.csv:4"]);
        assert!(Csv::parse("", "t.csv").is_err());
        assert!(Csv::parse("a\n\"x", "t.csv").is_err());
    }
}
