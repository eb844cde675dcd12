//! netfold sim.
