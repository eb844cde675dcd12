//! Readers: every format is told by its content, and bad rows are named by file and line.
#![allow(clippy::unwrap_used)] // Helpers of tests: a failure here is a failed test.

use netfold_surrogate::dataset::sweep::{COLUMNS, Kind, SweepRow};
use netfold_surrogate::dataset::{Design, Table, parse, read, read_all};
use netfold_surrogate::features::dense::Strategy;
use netfold_surrogate::features::modules::ModuleFeatures;
use netfold_surrogate::model::Target;
use std::path::PathBuf;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn places(text: &str) -> Vec<String> {
    parse(text, "t").err().unwrap().iter().map(|d| d.place.clone()).collect()
}

#[test]
fn single_layers() {
    let t = read(&data("layers.csv")).unwrap();
    assert_eq!((t.rows.len(), t.tool.as_str(), t.part.as_str()), (2, "Tool 1", "part-a"));
    assert_eq!(t.skipped["synthesis failed"], 1);
    assert_eq!(t.rows[0].targets[&Target::Bram36], 1.5);
    assert_eq!(t.rows[0].group, "8x8");
    assert!(!t.rows[1].targets.contains_key(&Target::Lut));
    let Design::Dense(layers) = &t.rows[1].design else { panic!() };
    assert_eq!((layers[0].strategy, layers[0].nonzero), (Strategy::Latency, Some(60)));
}

#[test]
fn networks() {
    let t = read(&data("networks.csv")).unwrap();
    let Design::Dense(layers) = &t.rows[1].design else { panic!() };
    assert_eq!(layers.iter().map(|l| (l.n_in, l.n_out)).collect::<Vec<_>>(), [(12, 6), (6, 4), (4, 2)]);
    assert_eq!(t.rows[0].targets[&Target::LatencyCycles], 58.0);
    assert_eq!(t.rows[1].targets.len(), 4);
}

#[test]
fn wa_hls4ml_json() {
    let t = read(&data("wa.json")).unwrap();
    assert_eq!(t.rows.len(), 1);
    assert_eq!((t.skipped["no resource_report"], t.skipped["layer Conv2D"]), (1, 1));
    let row = &t.rows[0];
    assert_eq!(row.group, "12-6-4");
    let Design::Dense(layers) = &row.design else { panic!() };
    assert_eq!((layers[0].weight_bits, layers[0].io_bits, layers[1].reuse_factor), (6, 16, 20));
    assert_eq!(row.targets[&Target::Lut], 1403.0);
    assert_eq!(row.targets[&Target::LatencyCycles], 53.0);
    assert!(!row.targets.contains_key(&Target::Uram));
    assert_eq!(t.tool, "Vitis or Vivado HLS 2023.2");
}

#[test]
fn bad_rows_are_named() {
    let head = "model_string,weight_bits,reuse_factor,latency_max_cycles,ii_max_cycles,bram36,dsp,ff,lut\n";
    assert_eq!(
        places(&format!("{head}8-x,4,1,1,1,1,1,1,1\n8-4,4,1,1,1,1,1,1,1\n8,4,1,1,1,1,1,1,-3\n")),
        ["t:2", "t:4"]
    );
    assert_eq!(places(&format!("{head}8-4,4,1,1,1,1,1,1\n")), ["t:2"]);
    assert_eq!(places(&format!("{head}8-4,99,1,1,1,1,1,1,nan\n")), ["t:2"]);
    assert_eq!(places("a,b\n1,2\n"), ["t"]);
    assert_eq!(places(""), ["t"]);
    assert_eq!(places("{\"model_config\": 3}"), ["t:1"]);
    let entry = r#"[{"model_config": [{"class_name": "Dense", "input_shape": [null, 4], "neurons": 2}],
        "hls_config": {"Model": {"Precision": "ap_fixed<8,1>", "ReuseFactor": 1}}, "resource_report": {"lut": "many"}}]"#;
    assert_eq!(places(entry), ["t: entry 1"]);
    assert!(read(&data("absent.csv")).is_err());
}

fn sweep_row(lut: f64) -> SweepRow {
    SweepRow {
        family: "xc7".into(),
        kind: Kind::Module,
        group: String::new(),
        tool: "yosys 0.70".into(),
        seed: 4,
        modules: vec![ModuleFeatures { kind: "fifo".into(), values: [("bits".to_string(), 8.0)].into() }],
        targets: [(Target::Lut, lut)].into(),
    }
}

#[test]
fn sweep_round_trip() {
    let row = sweep_row(41.0);
    let text = format!("{}\n{}\n{}\n", COLUMNS.join(","), row.to_csv().unwrap(), row.to_csv().unwrap());
    let t = parse(&text, "s.csv").unwrap();
    assert_eq!((t.rows.len(), t.skipped["repeated"]), (1, 1));
    assert_eq!(t.rows[0].targets, row.targets);
    assert_eq!(t.rows[0].design, Design::Modules(row.modules.clone()));
    assert_eq!(t.matrix().schema.names, ["fifo.count", "fifo.bits.sum", "fifo.bits.max"]);
    // The id depends on the question, not on the answer.
    assert_eq!(sweep_row(9.0).id().unwrap(), row.id().unwrap());
    let edited = text.replace("yosys 0.70", "yosys 0.71");
    assert_eq!(places(&edited), ["t:2", "t:3"]);
    let unknown = text.replacen("fmax_mhz", "fmax_mh", 1);
    assert!(parse(&unknown, "t").err().unwrap().to_string().contains("did you mean `fmax_mhz`"));
    assert!(parse(&text.replacen("uram", "x_note", 1), "t").is_ok());
}

#[test]
fn kinds_do_not_mix() {
    let mut t = read_all(&[data("layers.csv"), data("networks.csv")]).unwrap();
    assert_eq!(t.rows.len(), 4);
    assert_eq!(t.sources.len(), 2);
    let sweep = format!("{}\n{}\n", COLUMNS.join(","), sweep_row(1.0).to_csv().unwrap());
    let other: Table = parse(&sweep, "s.csv").unwrap();
    assert!(t.append(other).is_err());
}
