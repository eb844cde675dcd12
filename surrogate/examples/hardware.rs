//! The model of netfold's own hardware on sweep tables: `hardware parts TABLE...` compares counts with structure, kind by kind;
//! `hardware dump TABLE...` prints what training sees; `hardware cv FAMILY
//! TABLE...` scores networks held out; `hardware train FAMILY OUT TABLE...` trains.

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_surrogate::dataset;
use netfold_surrogate::hardware::{Family, NAMES, model, train, whole};
use netfold_surrogate::model::Target;
use std::collections::BTreeMap;
use std::process::ExitCode;

fn run(args: &[String]) -> Result<(), Diags> {
    let usage = || {
        Diag::new(
            Code::Usage,
            "",
            "hardware parts TABLE... | dump TABLE... | cv FAMILY TABLE... | train FAMILY OUT TABLE...",
        )
    };
    let (command, rest) = args.split_first().ok_or_else(usage)?;
    match command.as_str() {
        "parts" => {
            let table = dataset::read_all(rest)?;
            let samples = train::samples(&table, Family::Xc7);
            let mut units: BTreeMap<&str, Vec<[f64; 10]>> = BTreeMap::new();
            for s in samples.iter().filter(|s| s.parts.bare) {
                let (part, targets) = (&s.parts.parts[0], &table.rows[s.row].targets);
                let truth = |t: Target| targets.get(&t).copied().unwrap_or(0.0);
                let c = &part.count;
                units.entry(part.unit).or_default().push([
                    c.lut(),
                    truth(Target::Lut),
                    c.ff,
                    truth(Target::Ff),
                    c.dsp as f64,
                    truth(Target::Dsp),
                    c.bram18 as f64 / 2.0,
                    truth(Target::Bram36),
                    c.lutram,
                    truth(Target::Lutram),
                ]);
            }
            println!("{:16} {:>5}  median |ratio - 1| and exact share of LUT, FF, DSP, BRAM, LUTRAM", "unit", "rows");
            for (unit, rows) in units {
                print!("{unit:16} {:5}", rows.len());
                for k in 0..5 {
                    let mut errors: Vec<f64> =
                        rows.iter().map(|r| (r[2 * k] - r[2 * k + 1]).abs() / r[2 * k + 1].max(1.0)).collect();
                    errors.sort_by(f64::total_cmp);
                    let exact = rows.iter().filter(|r| (r[2 * k] - r[2 * k + 1]).abs() < 0.01).count();
                    print!("  {:6.3} {:4.0}%", errors[errors.len() / 2], 100.0 * exact as f64 / rows.len() as f64);
                }
                println!();
            }
        }
        "dump" => {
            let table = dataset::read_all(rest)?;
            println!("row,bare,group,unit,{},lut,ff,dsp,bram36,lutram", NAMES.join(","));
            for s in train::samples(&table, Family::Xc7) {
                let row = &table.rows[s.row];
                let truth = |t: Target| row.targets.get(&t).copied().unwrap_or(0.0);
                let targets = [Target::Lut, Target::Ff, Target::Dsp, Target::Bram36, Target::Lutram].map(truth);
                let targets: Vec<String> = targets.iter().map(f64::to_string).collect();
                for p in &s.parts.parts {
                    let x: Vec<String> = p.count.features().iter().map(f32::to_string).collect();
                    println!(
                        "{},{},{},{},{},{}",
                        s.row,
                        s.parts.bare,
                        row.group,
                        p.unit,
                        x.join(","),
                        targets.join(",")
                    );
                }
                if !s.parts.bare {
                    println!("{},sum,{},{},{}", s.row, row.group, s.parts.fed, s.parts.merged);
                }
            }
        }
        "cv" => {
            let [family, tables @ ..] = rest else { return Err(usage().into()) };
            let family = Family::named(family).ok_or_else(usage)?;
            let table = dataset::read_all(tables)?;
            let samples = train::samples(&table, family);
            let mut scores: BTreeMap<Target, Vec<(f64, f64, f64, f64)>> = BTreeMap::new();
            for (i, p) in train::cross_validate(&table, &samples, family, 5, 1)? {
                let truths = &table.rows[samples[i].row].targets;
                for (target, e) in p.estimates {
                    if let Some(&truth) = truths.get(&target) {
                        scores.entry(target).or_default().push((truth, e.value, e.low, e.high));
                    }
                }
            }
            println!("{:10} {:>5} {:>8} {:>8} {:>8} {:>8}", "target", "rows", "median", "p75", "exact", "coverage");
            for (target, rows) in scores {
                let mut errors: Vec<f64> = rows.iter().map(|r| (r.0 - r.1).abs() / r.0.max(1.0)).collect();
                errors.sort_by(f64::total_cmp);
                let share = |n: usize| n as f64 / rows.len() as f64;
                println!(
                    "{target:10} {:5} {:8.4} {:8.4} {:8.3} {:8.3}",
                    rows.len(),
                    errors[errors.len() / 2],
                    errors[errors.len() * 3 / 4],
                    share(rows.iter().filter(|r| (r.0 - r.1).abs() < 1e-9).count()),
                    share(rows.iter().filter(|r| r.2 <= r.0 && r.0 <= r.3).count())
                );
            }
        }
        "train" => {
            let [family, out, tables @ ..] = rest else { return Err(usage().into()) };
            let family = Family::named(family).ok_or_else(usage)?;
            let table = dataset::read_all(tables)?;
            let samples = train::samples(&table, family);
            let chosen: Vec<usize> = (0..samples.len()).collect();
            let trained = train::train_samples(&table, &samples, &chosen, family, 1)?;
            let bytes = model::to_bytes(&trained)?;
            std::fs::write(out, &bytes).map_err(|e| Diag::new(Code::Io, out, e.to_string()))?;
            println!("{} bytes, {} rows, {} columns", bytes.len(), samples.len(), whole::schema().len());
        }
        _ => return Err(usage().into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
