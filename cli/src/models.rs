//! Files of learned models.

use netfold_boards::Board;
use netfold_ir::diag::{Code, Diag};
use netfold_surrogate::hardware::{Family, HardwareModel, model};
use netfold_surrogate::model::{Surrogate, format};
use std::path::Path;
use std::sync::Arc;

/// A model of the user's.
#[derive(Clone)]
pub enum Model {
    /// Of an HLS tool's results, or of columns that the table itself names.
    Columns(Arc<Surrogate>),
    /// Of netfold's own hardware.
    Hardware(Arc<HardwareModel>),
}

impl Model {
    /// The file's bytes.
    ///
    /// # Errors
    /// When a number of the model is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Diag> {
        match self {
            Model::Columns(m) => format::to_bytes(m),
            Model::Hardware(m) => model::to_bytes(m),
        }
    }

    /// The model of netfold's own hardware.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn hardware(&self) -> Result<&Arc<HardwareModel>, Diag> {
        match self {
            Model::Hardware(m) => Ok(m),
            Model::Columns(_) => {
                Err(Diag::new(Code::Usage, "--surrogate", "this model is not of netfold's own hardware")
                    .help("train one on a sweep, or ask for --backend vitis"))
            }
        }
    }

    /// The model of an HLS tool's results.
    ///
    /// # Errors
    /// When it is of another kind.
    pub fn columns(&self) -> Result<&Surrogate, Diag> {
        match self {
            Model::Columns(m) => Ok(m),
            Model::Hardware(_) => Err(Diag::new(Code::Usage, "--surrogate", "this model is of netfold's own hardware")
                .help("train one on HLS results, or ask for --backend verilog")),
        }
    }
}

/// Reads a model file.
///
/// # Errors
/// When it cannot be read or is not a model.
pub fn load(path: &Path) -> Result<Model, Diag> {
    let place = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Diag::new(Code::Io, &place, format!("cannot be read: {e}")))?;
    if model::is_hardware(&bytes) {
        return model::from_bytes(&bytes, &place).map(|m| Model::Hardware(Arc::new(m)));
    }
    format::from_bytes(&bytes, &place).map(|m| Model::Columns(Arc::new(m)))
}

/// The model of netfold's own hardware for a board: the user's, where it is one; otherwise the shipped one of the board's family, or of the
/// 7 series where there is none.
///
/// # Errors
/// None for a release binary.
pub fn of_board(own: Option<&Model>, board: &Board) -> Result<Arc<HardwareModel>, Diag> {
    match own {
        Some(Model::Hardware(model)) => Ok(model.clone()),
        _ => HardwareModel::shipped(family(board)).cloned(),
    }
}

/// Begins to decode the shipped model that [`of_board`] will give, on another core.
pub fn prefetch(own: Option<&Model>, board: &Board) {
    if !matches!(own, Some(Model::Hardware(_))) {
        let family = family(board);
        // An error comes again where the model is needed.
        rayon::spawn(move || drop(HardwareModel::shipped(family)));
    }
}

/// The family of models that a board's designs are estimated as.
fn family(board: &Board) -> Family {
    Family::named(board.family.as_str()).unwrap_or(Family::Xc7)
}

/// In words, how a board's family differs from the one that a model answers for.
pub fn beside(model: &HardwareModel, board: &Board) -> Option<String> {
    let of = board.family.as_str();
    (Family::named(of) != Some(model.family)).then(|| format!("family: {of} (the model answers for {})", model.family))
}
