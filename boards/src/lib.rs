//! netfold boards.
