//! What a module becomes in C++: a call of a library function, its configuration and its constants.

use super::array::{Array, literal};
use std::fmt::Write;

/// A member of a configuration struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// `static const int name = value;` (or `long long` where it needs to be).
    Int(&'static str, i64),
    /// `static const bool name = value;`
    Bool(&'static str, bool),
    /// `typedef type name;`
    Type(&'static str, String),
    /// A nested struct.
    Struct(&'static str, Vec<Field>),
    /// `static int name(int i)`: one of the values.
    Choice(&'static str, Vec<i64>),
}

impl Field {
    /// A size.
    pub fn size(name: &'static str, value: usize) -> Field {
        Field::Int(name, i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// Members, one a line, indented by `depth` levels.
pub(super) fn members(fields: &[Field], depth: usize) -> String {
    let mut out = String::new();
    let indent = "    ".repeat(depth);
    for field in fields {
        let _ = match field {
            Field::Int(name, v) if i32::try_from(*v).is_ok() => writeln!(out, "{indent}static const int {name} = {v};"),
            Field::Int(name, v) => writeln!(out, "{indent}static const long long {name} = {};", literal(*v)),
            Field::Bool(name, v) => writeln!(out, "{indent}static const bool {name} = {v};"),
            Field::Type(name, ty) => writeln!(out, "{indent}typedef {ty} {name};"),
            Field::Struct(name, inner) => {
                writeln!(out, "{indent}struct {name} {{\n{}{indent}}};", members(inner, depth + 1))
            }
            Field::Choice(name, values) => {
                let choices: Vec<String> =
                    values.iter().enumerate().map(|(i, v)| format!("index == {i} ? {v} : ")).collect();
                writeln!(out, "{indent}static constexpr int {name}(int index) {{ return {}0; }}", choices.concat())
            }
        };
    }
    out
}

/// Order of a library function's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Inputs, outputs, constants.
    InOut,
    /// Outputs, constants, inputs: functions of any number of inputs.
    OutIn,
}

/// A module in C++.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// Function of the library, without its namespace.
    pub function: &'static str,
    /// What it does with which folding, for a comment.
    pub about: String,
    /// Members of its configuration.
    pub fields: Vec<Field>,
    /// Its constants, in the order of the arguments.
    pub arrays: Vec<Array>,
    /// Order of the arguments.
    pub arguments: Arguments,
    /// Iterations of its pipelined loop a frame.
    pub steps: usize,
    /// Members of the struct of its operations, for a program.
    pub program: Option<String>,
}
