//! The space is a function of seed and index; tables survive being cut off; counts are those of a plain run.
#![allow(clippy::unwrap_used)] // Helpers of tests: a failure here is a failed test.

use netfold_surrogate::dataset::sweep::{Kind, OK, SweepRow, rows};
use netfold_surrogate::model::Target;
use netfold_sweep::run::{Done, Plan, run};
use netfold_sweep::sources::Sources;
use netfold_sweep::space;
use netfold_sweep::yosys::{Family, Mode, Tool};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

fn plan(modules: u64, networks: u64, shard: (u64, u64), output: &Path) -> Plan {
    Plan {
        family: Family::Xc7,
        seed: 5,
        modules,
        networks,
        shard,
        jobs: 2,
        limit: Duration::from_secs(300),
        output: output.into(),
    }
}

#[test]
fn rows_are_functions_of_seed_and_index() {
    let text = |kind, seed, index| {
        let sample = space::draw(kind, seed, index).unwrap();
        let sources = Sources::of(kind, &sample.unit, &sample.design).unwrap();
        (SweepRow::encode(&sample.design).unwrap(), sources.hash())
    };
    let mut seen = BTreeSet::new();
    for index in 0..24 {
        let once = text(Kind::Module, 3, index);
        assert_eq!(once, text(Kind::Module, 3, index), "module {index}");
        assert!(seen.insert(once.1), "module {index} is a repeat");
    }
    let network = text(Kind::Network, 3, 0);
    assert_eq!(network, text(Kind::Network, 3, 0));
    assert_ne!(network, text(Kind::Network, 4, 0));
}

#[test]
fn the_optimizer_chooses_rows_of_its_part() {
    use netfold_ir::hw::Kind as Module;
    let mut shared = 0;
    for index in space::chosen::MODULES..space::chosen::MODULES + 12 {
        let sample = space::draw(Kind::Module, 1, index).unwrap();
        assert!(Sources::of(Kind::Module, &sample.unit, &sample.design).is_ok(), "module {index}");
        let inner = sample.design.inner();
        shared += inner
            .iter()
            .filter(|id| match &sample.design.module(**id).kind {
                Module::Mvu(m) => m.built().is_packed() || m.early > 0,
                _ => false,
            })
            .count();
    }
    assert!(shared > 0, "units that share blocks or start early are what this part is for");
    let network = space::draw(Kind::Network, 1, space::chosen::NETWORKS).unwrap();
    assert!(network.design.verify().is_ok() && network.design.inner().len() > 1);
}

#[test]
fn stored_designs_give_the_same_sources() {
    for (kind, index) in [(Kind::Module, 0), (Kind::Module, 7), (Kind::Module, 11), (Kind::Network, 1)] {
        let sample = space::draw(kind, 2, index).unwrap();
        let text = SweepRow::encode(&sample.design).unwrap();
        let file: netfold_ir::hw::file::DesignFile = serde_json::from_str(&text).unwrap();
        let again = netfold_ir::hw::Design::try_from(file).unwrap();
        let hash = |d| Sources::of(kind, &sample.unit, d).unwrap().hash();
        assert_eq!(hash(&sample.design), hash(&again));
    }
}

#[test]
fn shards_are_disjoint_and_whole() {
    let folder = Path::new("unused");
    let whole = plan(100, 7, (1, 1), folder).items();
    assert_eq!(whole.len(), 107);
    let mut parts: Vec<(Kind, u64)> = (1..=3).flat_map(|i| plan(100, 7, (i, 3), folder).items()).collect();
    parts.sort();
    let mut sorted = whole.clone();
    sorted.sort();
    assert_eq!(parts, sorted);
    // Every beginning is representative.
    let networks = |n: usize| whole[..n].iter().filter(|(k, _)| *k == Kind::Network).count();
    assert_eq!((networks(54), networks(107)), (4, 7));
    let names: BTreeSet<_> = (1..=3).map(|i| plan(1, 0, (i, 3), folder).table()).collect();
    assert_eq!(names.len(), 3);
}

#[test]
fn sweeps_resume_where_they_were_cut_off() {
    let tool = match Tool::find() {
        Ok(tool) => tool,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(3, 0, (1, 1), folder.path());
    let done = run(&plan).unwrap();
    assert_eq!(done, Done { present: 0, added: 3, failed: 0 });
    let text = std::fs::read_to_string(plan.table()).unwrap();
    let found = rows(&text, "t").unwrap();
    assert_eq!(run(&plan).unwrap(), Done { present: 3, added: 0, failed: 0 });
    // The last line ends in its middle.
    std::fs::write(plan.table(), &text[..text.len() - 40]).unwrap();
    assert_eq!(run(&plan).unwrap(), Done { present: 2, added: 1, failed: 0 });
    let again = rows(&std::fs::read_to_string(plan.table()).unwrap(), "t").unwrap();
    let ids = |rows: &[SweepRow]| rows.iter().map(SweepRow::id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&again), ids(&found));
    // Templates that changed: the row is made again, with the counts of today.
    let stale = text.replacen(&found[0].verilog, "0000000000000000", 1);
    std::fs::write(plan.table(), stale).unwrap();
    assert_eq!(run(&plan).unwrap(), Done { present: 3, added: 1, failed: 0 });
    // A table without the column of parts, as earlier versions wrote it, gets today's columns.
    let old: Vec<String> = text.lines().map(|l| l.replacen(",parts", "", 1).replacen("}\",,\"", "}\",\"", 1)).collect();
    std::fs::write(plan.table(), old.join("\n") + "\n").unwrap();
    assert_eq!(run(&plan).unwrap(), Done { present: 3, added: 0, failed: 0 });
    assert_eq!(std::fs::read_to_string(plan.table()).unwrap(), text);
    for row in &found {
        assert_eq!(row.status, OK);
        let sources = Sources::of(row.kind, &row.unit, &row.decode().unwrap()).unwrap();
        let work = tempfile::tempdir().unwrap();
        for (name, contents) in &sources.files {
            std::fs::write(work.path().join(name), contents).unwrap();
        }
        let names: Vec<String> = sources.files.keys().filter(|n| n.ends_with(".sv")).cloned().collect();
        let stat = tool.synthesize(work.path(), &names, &sources.top, plan.family, Mode::Plain, None).unwrap();
        let alone = stat.design();
        assert_eq!(row.targets[&Target::Ff], alone.ff as f64, "{}", row.unit);
        assert_eq!((row.targets[&Target::Dsp], row.targets[&Target::Bram36]), (alone.dsp as f64, alone.bram36));
        // The mapper's choices hang on the order of names.
        let luts = (row.targets[&Target::Lut], alone.lut as f64);
        assert!((luts.0 - luts.1).abs() <= 2.0 + 0.06 * luts.1, "{} {luts:?}", row.unit);
    }
}

#[test]
fn a_network_has_the_counts_of_its_modules() {
    if let Err(error) = Tool::find() {
        assert!(std::env::var_os("CI").is_none(), "{error}");
        eprintln!("SKIPPED: {error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(0, 1, (1, 1), folder.path());
    assert_eq!(run(&plan).unwrap(), Done { present: 0, added: 1, failed: 0 });
    let found = rows(&std::fs::read_to_string(plan.table()).unwrap(), "t").unwrap();
    let row = &found[0];
    assert_eq!(row.parts.len(), row.decode().unwrap().inner().len() + 1);
    assert!(row.parts.len() > 2, "{row:?}");
    let sums = row.parts.iter().fold((0, 0), |s, p| (s.0 + p.0, s.1 + p.1));
    assert_eq!((sums.0 as f64, sums.1 as f64), (row.targets[&Target::Lut], row.targets[&Target::Ff]));
}
