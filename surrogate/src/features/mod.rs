//! Numbers that describe a design, and the names they go by.
//!
//! A [`Schema`] names the columns; a design becomes one `Vec<f32>` in its order. Models keep the schema they were
//! trained with and look columns up by name, so a column may be added without breaking an older model.

pub mod dense;
pub mod modules;
pub mod reuse;

use serde::{Deserialize, Serialize};

/// Names of feature columns, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Schema {
    /// Column names; unique.
    pub names: Vec<String>,
    /// For each column, what a user calls it when it is an input whose range is worth checking; empty when the column
    /// is derived from others.
    pub inputs: Vec<String>,
}

impl Schema {
    /// Number of columns.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Index of a column.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// Adds a derived column.
    pub fn derived(&mut self, name: impl Into<String>) {
        self.names.push(name.into());
        self.inputs.push(String::new());
    }

    /// Adds a column that is an input of the user, called `label` in messages.
    pub fn input(&mut self, name: impl Into<String>, label: impl Into<String>) {
        self.names.push(name.into());
        self.inputs.push(label.into());
    }
}
