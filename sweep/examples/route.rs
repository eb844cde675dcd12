//! Adds the routed clock to rows of a sweep: `route TABLE.csv OUT.csv ROWS MOST_LUTS` places and routes up to `ROWS` designs of at most
//! `MOST_LUTS` LUTs, each alone, spread evenly over the table with every third a network, and appends them to `OUT.csv` with `fmax_mhz` set. Goes on
//! where it stopped. `NETFOLD_PYTHON` must have pyosys, and nextpnr of the family must be on PATH.
#![allow(clippy::unwrap_used)]

use netfold_surrogate::dataset::sweep::{COLUMNS, Kind, OK, SweepRow, rows};
use netfold_surrogate::model::Target;
use netfold_sweep::route;
use netfold_sweep::sources::Sources;
use netfold_sweep::yosys::{Family, Mode, Tool};
use std::collections::BTreeSet;
use std::io::Write;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [table, out, wanted, most] = &arguments[..] else { panic!("route TABLE.csv OUT.csv ROWS MOST_LUTS") };
    let (wanted, most): (usize, f64) = (wanted.parse().unwrap(), most.parse().unwrap());
    let all = rows(&std::fs::read_to_string(table).unwrap(), table).unwrap();
    let fits = |r: &SweepRow| r.status == OK && r.targets.get(&Target::Lut).is_some_and(|l| *l <= most);
    let of = |kind: Kind, n: usize| {
        let mut list: Vec<&SweepRow> = all.iter().filter(|r| r.kind == kind && fits(r)).collect();
        list.sort_by_key(|r| r.id());
        list.truncate(n);
        list
    };
    let (modules, networks) = (of(Kind::Module, wanted - wanted / 3), of(Kind::Network, wanted / 3));
    // Two modules, then a network, so that every beginning is balanced.
    let mut order: Vec<(usize, &SweepRow)> =
        modules.iter().enumerate().map(|(i, r)| (3 * (i / 2) + i % 2, *r)).collect();
    order.extend(networks.iter().enumerate().map(|(i, r)| (3 * i + 2, *r)));
    order.sort_by_key(|(at, _)| *at);
    if !std::path::Path::new(out).exists() {
        std::fs::write(out, COLUMNS.join(",") + "\n").unwrap();
    }
    let have = rows(&std::fs::read_to_string(out).unwrap(), out).unwrap();
    let have: BTreeSet<String> = have.iter().map(SweepRow::id).collect();
    let tool = Tool::find().unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(out).unwrap();
    for (_, row) in order.into_iter().filter(|(_, r)| !have.contains(&r.id())) {
        let family = Family::named(&row.family).unwrap();
        let sources = Sources::of(row.kind, &row.unit, &row.decode().unwrap()).unwrap();
        let work = tempfile::tempdir().unwrap();
        for (name, text) in &sources.files {
            std::fs::write(work.path().join(name), text).unwrap();
        }
        let names: Vec<String> = sources.files.keys().filter(|n| n.ends_with(".sv")).cloned().collect();
        let made = tool.synthesize(work.path(), &names, &sources.top, family, Mode::Plain, None);
        let fmax = made.is_ok().then(|| route::fmax_mhz(work.path(), family)).flatten();
        eprintln!("{} {} {}: {fmax:?}", row.kind.name(), row.unit, row.group);
        if let Some(fmax) = fmax {
            let mut row = row.clone();
            row.targets.insert(Target::FmaxMhz, fmax);
            writeln!(file, "{}", row.to_csv()).unwrap();
        }
    }
}
