//! The model of netfold's own hardware on sweep tables: `hardware parts TABLE...` compares counts with structure, kind by kind;
//! `hardware dump TABLE...` prints what training sees; `hardware cv FAMILY
//! TABLE...` scores networks held out, in six draws of five folds; `hardware train FAMILY OUT TABLE...` trains.

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_surrogate::dataset;
use netfold_surrogate::hardware::{Family, NAMES, model, train, whole};
use netfold_surrogate::model::{Prediction, Target};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Draws of the folds of a cross-validation.
const DRAWS: u64 = 6;

/// Prints how far predictions are from truths.
fn scores<'a>(predictions: impl Iterator<Item = (&'a BTreeMap<Target, f64>, &'a Prediction)>) {
    let mut found: BTreeMap<Target, Vec<(f64, f64, f64, f64)>> = BTreeMap::new();
    for (truths, p) in predictions {
        for (target, e) in &p.estimates {
            if let Some(&truth) = truths.get(target) {
                found.entry(*target).or_default().push((truth, e.value, e.low, e.high));
            }
        }
    }
    println!("{:10} {:>5} {:>8} {:>8} {:>8} {:>8}", "target", "rows", "median", "p75", "exact", "coverage");
    for (target, rows) in found {
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

fn run(args: &[String]) -> Result<(), Diags> {
    let usage = || {
        Diag::new(
            Code::Usage,
            "",
            "hardware parts TABLE... | networks FAMILY TABLE... | apart FAMILY TABLE... | dump TABLE... | cv FAMILY TABLE... | blame FAMILY TABLE... | train FAMILY OUT TABLE...",
        )
    };
    let (command, rest) = args.split_first().ok_or_else(usage)?;
    match command.as_str() {
        "parts" => {
            let table = dataset::read_all(rest)?;
            let samples = train::samples(&table, Family::Xc7);
            let mut units: BTreeMap<&str, Vec<[f64; 10]>> = BTreeMap::new();
            for s in samples.iter().filter(|s| s.parts.bare) {
                let part = &s.parts.parts[0];
                let truth = |t: Target| s.truth(&table, t).unwrap_or(0.0);
                let c = &part.count;
                units.entry(part.unit).or_default().push([
                    c.lut(),
                    truth(Target::Lut),
                    c.ff,
                    truth(Target::Ff),
                    c.dsp as f64,
                    truth(Target::Dsp),
                    c.bram18 / 2.0,
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
            let family = netfold_surrogate::hardware::eval::family(&table)?;
            println!("row,bare,group,unit,{},lut,ff,dsp,bram36,lutram", NAMES.join(","));
            for s in train::samples(&table, family) {
                let row = &table.rows[s.row];
                let truth = |t: Target| s.truth(&table, t).unwrap_or(0.0);
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
            }
        }
        "cv" => {
            let [family, tables @ ..] = rest else { return Err(usage().into()) };
            let family = Family::named(family).ok_or_else(usage)?;
            let table = dataset::read_all(tables)?;
            let samples = train::samples(&table, family);
            // Folds drawn several times: a network's interval hits or misses with what its fold was trained on.
            let mut predictions = Vec::new();
            for seed in 1..=DRAWS {
                predictions.extend(train::cross_validate(&table, &samples, family, 5, seed)?);
            }
            for (name, all) in [("networks whose logic is live", false), ("all networks", true)] {
                println!("{name}");
                let wanted = predictions.iter().filter(|(i, _)| all || !samples[*i].constant);
                scores(wanted.map(|(i, p)| (&table.rows[samples[*i].row].targets, p)));
            }
        }
        "networks" => {
            let (family, tables) = rest.split_first().ok_or_else(usage)?;
            let family: Family = family.parse()?;
            let table = dataset::read_all(tables)?;
            let samples = train::samples(&table, family);
            let chosen: Vec<usize> = (0..samples.len()).collect();
            let trained = train::train_samples(&table, &samples, &chosen, family, 1)?;
            for s in samples.iter().filter(|s| !s.parts.bare) {
                let row = &table.rows[s.row];
                let truth = |t: Target| s.truth(&table, t).unwrap_or(0.0);
                let mut units: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
                for p in &s.parts.parts {
                    let sums = units.entry(p.unit).or_default();
                    sums.0 += f64::from(trained.logic(p).0);
                    sums.1 += p.count.ff;
                }
                let sum = |f: fn(&(f64, f64)) -> f64| units.values().map(f).sum::<f64>();
                println!(
                    "{} LUT {} counted {:.0}, FF {} counted {:.0}, DSP {} counted {}: {}",
                    row.group,
                    truth(Target::Lut),
                    sum(|u| u.0),
                    truth(Target::Ff),
                    sum(|u| u.1),
                    truth(Target::Dsp),
                    s.parts.parts.iter().map(|p| p.count.dsp).sum::<usize>(),
                    units.iter().map(|(n, (l, f))| format!("{n} {l:.0}/{f:.0}")).collect::<Vec<_>>().join(", ")
                );
            }
        }
        "apart" => {
            let [family, tables @ ..] = rest else { return Err(usage().into()) };
            let family = Family::named(family).ok_or_else(usage)?;
            let table = dataset::read_all(tables)?;
            let samples = train::samples(&table, family);
            let mut trained = model::HardwareModel::untrained(family);
            let alone: Vec<usize> = (0..samples.len())
                .filter(|i| samples[*i].parts.bare && samples[*i].part.is_none() && !samples[*i].constant)
                .collect();
            train::units(&table, &samples, &alone, &mut trained, 1)?;
            for s in samples.iter().filter(|s| s.part.is_some()) {
                let (row, part) = (&table.rows[s.row], &s.parts.parts[0]);
                let truth = |t: Target| s.truth(&table, t).unwrap_or(0.0);
                let (lut, ff) = trained.logic(part);
                println!(
                    "{} {} LUT {} counted {:.0} trained {lut:.0}, FF {} counted {:.0} trained {ff:.0}{}",
                    row.group,
                    part.unit,
                    truth(Target::Lut),
                    part.count.lut(),
                    truth(Target::Ff),
                    part.count.ff,
                    if s.constant { ", constant" } else { "" }
                );
            }
            for s in samples.iter().filter(|s| !s.parts.bare && !table.rows[s.row].parts.is_empty()) {
                let row = &table.rows[s.row];
                let inner: f64 = row.parts.iter().map(|p| p.1).sum();
                let inner_ff: f64 = row.parts.iter().map(|p| p.2).sum();
                let ends = |u: &str| matches!(u, "fifo" | "sink" | "source");
                let (mut lut, mut ff) = (0.0, 4.0);
                for p in s.parts.parts.iter().filter(|p| ends(p.unit)) {
                    lut += f64::from(trained.logic(p).0);
                    ff += f64::from(trained.logic(p).1);
                }
                let truth = |t: Target| s.truth(&table, t).unwrap_or(0.0);
                println!(
                    "{} top LUT {} counted {lut:.0}, FF {} counted {ff:.0}",
                    row.group,
                    truth(Target::Lut) - inner,
                    truth(Target::Ff) - inner_ff
                );
            }
        }
        "blame" => {
            let [family, tables @ ..] = rest else { return Err(usage().into()) };
            let family = Family::named(family).ok_or_else(usage)?;
            let table = dataset::read_all(tables)?;
            blame(&table, family)?;
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

/// Errors of modules that training has not seen, kind by kind, and the share of each kind in held-out networks.
fn blame(table: &dataset::Table, family: Family) -> Result<(), Diags> {
    let samples = train::samples(table, family);
    let groups: Vec<&str> = samples.iter().map(|s| table.rows[s.row].group.as_str()).collect();
    let folds = netfold_surrogate::train::folds(&groups, 5, 1);
    // By kind: absolute, signed errors and truth of LUTs and flip-flops of modules, then its sums in networks.
    let mut kinds: BTreeMap<&str, [f64; 11]> = BTreeMap::new();
    for fold in 0..5 {
        let chosen: Vec<usize> = (0..samples.len()).filter(|i| folds[*i] != fold).collect();
        let model = train::train_samples(table, &samples, &chosen, family, 1)?;
        for i in (0..samples.len()).filter(|i| folds[*i] == fold) {
            let s = &samples[i];
            let truth = |t: Target| s.truth(table, t).unwrap_or(0.0);
            if s.parts.bare {
                let part = &s.parts.parts[0];
                let (lut, ff) = model.logic(part);
                let k = kinds.entry(part.unit).or_default();
                let (lut_truth, ff_truth) = (truth(Target::Lut), truth(Target::Ff));
                let sums = [1.0, (f64::from(lut) - lut_truth).abs(), f64::from(lut) - lut_truth, lut_truth];
                sums.iter().zip(k.iter_mut()).for_each(|(v, k)| *k += v);
                let sums = [(f64::from(ff) - ff_truth).abs(), f64::from(ff) - ff_truth, ff_truth];
                sums.iter().zip(k[4..].iter_mut()).for_each(|(v, k)| *k += v);
                k[9] += (part.count.lut() - lut_truth).abs();
                k[10] += (part.count.ff - ff_truth).abs();
            } else {
                for (part, (lut, ff)) in s.parts.parts.iter().zip(model.all_logic(&s.parts)) {
                    let k = kinds.entry(part.unit).or_default();
                    k[7] += f64::from(lut) / truth(Target::Lut).max(1.0);
                    k[8] += f64::from(ff) / truth(Target::Ff).max(1.0);
                }
            }
        }
    }
    let networks = samples.iter().filter(|s| !s.parts.bare).count() as f64;
    println!("{:16} {:>5}  LUT: error untrained, trained, bias, share in networks   FF: the same", "unit", "rows");
    for (unit, k) in kinds {
        let [rows, lut, lut_bias, luts, ff, ff_bias, ffs, lut_share, ff_share, lut_raw, ff_raw] = k;
        println!(
            "{unit:16} {rows:5}  {:6.3} {:6.3} {:7.3} {:6.3}   {:6.3} {:6.3} {:7.3} {:6.3}",
            lut_raw / luts.max(1.0),
            lut / luts.max(1.0),
            lut_bias / luts.max(1.0),
            lut_share / networks,
            ff_raw / ffs.max(1.0),
            ff / ffs.max(1.0),
            ff_bias / ffs.max(1.0),
            ff_share / networks
        );
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
