//! Calibrates the clock estimate: `fmax TABLE` fits the delays of the ECP5 to the rows of a sweep that have `fmax_mhz` (see
//! `sweep/examples/route.rs`) and prints them with the errors on rows that a fit did not see.

use netfold_ir::diag::Diags;
use netfold_surrogate::dataset;
use netfold_surrogate::hardware::{HardwareModel, eval, fmax, train};
use netfold_surrogate::model::Target;

fn main() -> Result<(), Diags> {
    let tables: Vec<String> = std::env::args().skip(1).collect();
    let table = dataset::read_all(&tables)?;
    let family = eval::family(&table)?;
    let model = HardwareModel::shipped(family)?;
    let mut rows = Vec::new();
    for sample in train::samples(&table, family) {
        let row = &table.rows[sample.row];
        let Some(mhz) = sample.truth(&table, Target::FmaxMhz) else { continue };
        let routed = fmax::routed(&sample.parts, &model.all_logic(&sample.parts), mhz);
        let plain = fmax::ECP5_START.period_ns(&routed.0, routed.1);
        eprintln!("{:24} {:12} routed {:6.2} ns, unfitted {plain:6.2} ns", row.group, row.strata["unit"], routed.2);
        rows.push(routed);
    }
    let (delays, half, errors) = fmax::calibrate(&rows, fmax::ECP5_START);
    println!("{} rows: {delays:#?}", rows.len());
    let at = |share: f64| errors.get((errors.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    println!("held-out error of the logarithm: median {:.3}, p75 {:.3}; half-width {half:.3}", at(0.5), at(0.75));
    Ok(())
}
