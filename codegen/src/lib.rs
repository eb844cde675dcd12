//! netfold codegen.
