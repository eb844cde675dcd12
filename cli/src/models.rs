//! Files of learned models.

use netfold_ir::diag::{Code, Diag};
use netfold_surrogate::model::{Surrogate, format};
use std::path::Path;

/// Reads a model file.
///
/// # Errors
/// When it cannot be read or is not a model.
pub fn load(path: &Path) -> Result<Surrogate, Diag> {
    let place = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Diag::new(Code::Io, &place, format!("cannot be read: {e}")))?;
    format::from_bytes(&bytes, &place)
}
