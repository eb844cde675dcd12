//! The `netfold` binary.
fn main() {}
