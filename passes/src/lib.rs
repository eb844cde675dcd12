//! netfold passes.
