//! netfold frontend.
