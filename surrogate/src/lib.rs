//! netfold surrogate.
