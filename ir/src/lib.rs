//! netfold ir.
