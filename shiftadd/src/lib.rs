//! netfold shiftadd.
