//! Prints parts.

use netfold_ir::diag::Diags;
use netfold_surrogate::dataset;
use netfold_surrogate::hardware::{Family, HardwareModel, eval, factors, train};
use netfold_surrogate::model::Target;

fn main() -> Result<(), Diags> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let table = dataset::read_all(&args)?;
    let family = eval::family(&table)?;
    let shipped = HardwareModel::shipped(Family::Xc7)?;
    let model = HardwareModel { family, ..(**shipped).clone() };
    for s in train::samples(&table, family) {
        let row = &table.rows[s.row];
        let truth = |t: Target| row.targets.get(&t).copied().unwrap_or(0.0);
        let e = model.parts(s.parts.clone());
        let v = |t: Target| e.prediction.get(t).map_or(0.0, |e| e.value);
        println!(
            "row,{},{},{},{},{},{},{},{},{},{},{}",
            s.row,
            s.parts.bare,
            row.group,
            truth(Target::Lut),
            truth(Target::Ff),
            truth(Target::Dsp),
            truth(Target::Bram36),
            v(Target::Lut),
            v(Target::Ff),
            v(Target::Dsp),
            v(Target::Bram36)
        );
        for (p, (lut, ff)) in s.parts.parts.iter().zip(&e.logic) {
            let f = model.factors.get(p.unit).unwrap_or(&factors::DEFAULT);
            let t: Vec<String> = factors::terms(&p.count).iter().zip(f).map(|(t, f)| format!("{t}:{f}")).collect();
            println!("part,{},{},{lut},{ff},{},{},{}", s.row, p.unit, p.count.ff, p.count.lutram, t.join(","));
        }
    }
    Ok(())
}
