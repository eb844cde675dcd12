//! Hardware designs to files.
//!
//! * [`verilog`]: synthesizable SystemVerilog: one file a module, the top level, and the primitives that they instantiate.
//! * [`project`]: what surrounds it in a generated folder: build scripts, package description, README.
//! * [`files`]: the files of a folder in memory, and writing them to disk all or nothing.
//!
//! Names of a model are data. They reach a generated file only through the functions of [`text`], which leave nothing that
//! could end a comment or a string in any of the languages written here.

pub mod files;
pub mod hls;
pub mod project;
pub mod report;
pub mod text;
pub mod verilog;

pub use files::{Files, write_atomically};
