//! Prices of the folding optimizer from the model of netfold's own hardware.
//!
//! What the search adds up is a module's or FIFO's counted structure with its group's learned factors and trees
//! ([`HardwareModel::resources`]): that sum is what a folding is proved optimal for. Whole designs are answered by the whole
//! model, correction included, so that what the optimizer accepts is what `estimate` says.

use super::model::HardwareModel;
use netfold_ir::hw::{Design, Kind, Matrix, Mvu, Realization, Stream, Vvu};
use netfold_ir::quant::IntType;
use netfold_passes::optimize::{CostModel, ModuleSpec, Resources};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

/// Prices by a model. FIFOs, and units whose contents (weights, thresholds, tables) take time to count, are counted once.
#[derive(Debug)]
pub struct PriceList {
    model: Arc<HardwareModel>,
    known: RwLock<HashMap<Key, (Held, Resources)>>,
    fifos: RwLock<HashMap<(usize, usize, IntType), Resources>>,
}

/// A unit with contents: the address of these, its parameters, and its element types.
type Key = (usize, [usize; 8], IntType, IntType);

/// Keeps the address in a [`Key`] from being used again.
#[derive(Debug)]
enum Held {
    Weights(#[allow(dead_code)] Weak<Matrix>),
    Function(#[allow(dead_code)] Weak<Realization>),
}

/// The key of a unit with contents.
fn key(m: &ModuleSpec<'_>) -> Option<(Key, Held)> {
    let (input, output) = (*m.inputs.first()?, *m.outputs.first()?);
    let (at, parameters, held) = match m.kind {
        Kind::Mvu(Mvu { weights, pe, simd, vectors, early, pixels, multiplier, memory }) => {
            let how = [0, *pe, *simd, *vectors, *early, *multiplier as usize, *memory as usize, *pixels];
            (Arc::as_ptr(weights) as usize, how, Held::Weights(Arc::downgrade(weights)))
        }
        Kind::Vvu(Vvu { weights, multiplicity, pe, simd, pixels, multiplier, memory }) => {
            let how = [1, *multiplicity, *pe, *simd, *pixels, *multiplier as usize, *memory as usize, 0];
            (Arc::as_ptr(weights) as usize, how, Held::Weights(Arc::downgrade(weights)))
        }
        Kind::Act { function, lanes, beats } => {
            let how = [2, *lanes, *beats, 0, 0, 0, 0, 0];
            (Arc::as_ptr(function) as usize, how, Held::Function(Arc::downgrade(function)))
        }
        _ => return None,
    };
    Some(((at, parameters, input, output), held))
}

impl PriceList {
    /// Prices by `model`.
    pub fn new(model: Arc<HardwareModel>) -> PriceList {
        PriceList { model, known: RwLock::default(), fifos: RwLock::default() }
    }

    /// The model.
    pub fn model(&self) -> &HardwareModel {
        &self.model
    }
}

impl CostModel for PriceList {
    fn module(&self, m: &ModuleSpec<'_>) -> Resources {
        let Some((key, held)) = key(m) else { return self.model.module(m) };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&key).map(|k| k.1);
        known.unwrap_or_else(|| {
            let price = self.model.module(m);
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(key, (held, price));
            price
        })
    }

    fn fifo(&self, stream: &Stream) -> Resources {
        let key = (stream.depth, stream.lanes, stream.ty);
        let known = self.fifos.read().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        known.unwrap_or_else(|| {
            let price = self.model.fifo(stream);
            self.fifos.write().unwrap_or_else(PoisonError::into_inner).insert(key, price);
            price
        })
    }

    fn whole(&self, design: &Design) -> Option<Resources> {
        Some(self.model.design(design).resources(&self.model))
    }
}
