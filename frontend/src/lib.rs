//! netfold frontend.

pub mod config;
pub mod onnx;
