//! `size FIFOs`: depths with which the design runs at the rate of its slowest unit.

use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, ModuleId, timing};

/// Sets the depth of every stream to what a steady run at the bottleneck's interval needs.
pub fn run(design: &mut Design) -> Result<(), Diag> {
    let (interval, _) = timing::bottleneck(design);
    let depths = timing::required_depths(design, interval)?;
    let places: Vec<(ModuleId, usize)> = design.streams().iter().map(|(from, _, s)| (*from, s.from_port)).collect();
    for ((module, port), depth) in places.into_iter().zip(depths) {
        if let Some(stream) = design.stream_mut(module, port) {
            stream.depth = depth.max(2);
        }
    }
    Ok(())
}
