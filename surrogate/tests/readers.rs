//! Readers: every format is told by its content, and bad rows are named by file and line.
#![allow(clippy::unwrap_used)] // Helpers of tests: a failure here is a failed test.

use netfold_ir::hw::{self, Module, Stream};
use netfold_ir::quant::IntType;
use netfold_surrogate::dataset::sweep::{self, COLUMNS, Kind, SweepRow};
use netfold_surrogate::dataset::{Design, Table, parse, read, read_all};
use netfold_surrogate::features::dense::Strategy;
use netfold_surrogate::model::Target;
use std::collections::BTreeMap;
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
    let stream = Stream { from_port: 0, to_port: 0, ty: IntType::new(false, 8), lanes: 2, beats: 4, depth: 2 };
    let mut design = hw::Design::new("fifo");
    let mut add = |name: &str, kind| design.add(Module { name: name.into(), layer: name.into(), kind });
    let source = add("x", hw::Kind::Source { lanes: 2, beats: 4 });
    let sink = add("y", hw::Kind::Sink { lanes: 2, beats: 4 });
    design.connect(source, sink, stream);
    SweepRow {
        family: "xc7".into(),
        kind: Kind::Module,
        unit: "fifo".into(),
        group: String::new(),
        split: "train".into(),
        tool: "yosys 0.70".into(),
        seed: 4,
        index: 7,
        status: "ok".into(),
        verilog: "0123".into(),
        seconds: 1.5,
        targets: [(Target::Lut, lut)].into(),
        cells: [("LUT6".to_string(), lut as u64)].into(),
        parts: Vec::new(),
        design: SweepRow::encode(&design).unwrap(),
    }
}

#[test]
fn sweep_round_trip() {
    let row = sweep_row(41.0);
    let lines = |rows: &[SweepRow]| rows.iter().map(|r| r.to_csv() + "\n").collect::<String>();
    let text = format!("{}\n{}", COLUMNS.join(","), lines(&[sweep_row(9.0), row.clone()]));
    assert_eq!(sweep::rows(&text, "s.csv").unwrap(), std::slice::from_ref(&row));
    let t = parse(&text, "s.csv").unwrap();
    assert_eq!((t.rows.len(), t.skipped["repeated"]), (1, 1));
    // Of two rows about one design the last one holds.
    assert_eq!(t.rows[0].targets, row.targets);
    let design = t.rows[0].hardware.as_ref().unwrap();
    assert_eq!(SweepRow::encode(design).unwrap(), row.design);
    // The id depends on the question, not on the answer.
    assert_eq!(sweep_row(9.0).id(), row.id());
    let failed = SweepRow { status: "timeout".into(), targets: BTreeMap::new(), ..row.clone() };
    let t = parse(&format!("{}\n{}", COLUMNS.join(","), lines(&[failed])), "s.csv").unwrap();
    assert_eq!((t.rows.len(), t.skipped["synthesis: timeout"]), (0, 1));
    assert_eq!(places(&text.replace("fifo", "fofi")), ["t:2", "t:3"]);
    let unknown = text.replacen("fmax_mhz", "fmax_mh", 1);
    assert!(parse(&unknown, "t").err().unwrap().to_string().contains("did you mean `fmax_mhz`"));
    assert!(parse(&text.replacen("uram", "x_note", 1), "t").is_ok());
}

#[test]
fn parts_belong_to_the_modules_of_a_network() {
    // A network of one module, a width converter; the second pair is the top level.
    let stream = |lanes, beats| Stream { from_port: 0, to_port: 0, ty: IntType::new(false, 8), lanes, beats, depth: 2 };
    let mut design = hw::Design::new("n");
    let mut add = |name: &str, kind| design.add(Module { name: name.into(), layer: name.into(), kind });
    let source = add("x", hw::Kind::Source { lanes: 2, beats: 4 });
    let middle = add("m", hw::Kind::Dwc { from: 2, to: 1, elements: 8 });
    let sink = add("y", hw::Kind::Sink { lanes: 1, beats: 8 });
    design.connect(source, middle, stream(2, 4));
    design.connect(middle, sink, stream(1, 8));
    let row = SweepRow {
        kind: Kind::Network,
        unit: "mlp".into(),
        parts: vec![(10, 20), (31, 41)],
        design: SweepRow::encode(&design).unwrap(),
        ..sweep_row(41.0)
    };
    let text = |row: &SweepRow| format!("{}\n{}\n", COLUMNS.join(","), row.to_csv());
    let t = parse(&text(&row), "s.csv").unwrap();
    assert_eq!(t.rows[0].parts, [(middle, 10.0, 20.0)]);
    let short = SweepRow { parts: vec![(10, 20)], ..row.clone() };
    let error = parse(&text(&short), "s.csv").err().unwrap().to_string();
    assert!(error.contains("1 pairs, the design 1 modules") && error.contains("s.csv:2"), "{error}");
    // Tables from before there were parts.
    let old = text(&SweepRow { parts: Vec::new(), ..row }).replacen(",parts", "", 1).replacen("}\",,\"", "}\",\"", 1);
    assert!(parse(&old, "s.csv").unwrap().rows[0].parts.is_empty(), "{old}");
}

#[test]
fn kinds_do_not_mix() {
    let mut t = read_all(&[data("layers.csv"), data("networks.csv")]).unwrap();
    assert_eq!(t.rows.len(), 4);
    assert_eq!(t.sources.len(), 2);
    let sweep = format!("{}\n{}\n", COLUMNS.join(","), sweep_row(1.0).to_csv());
    let other: Table = parse(&sweep, "s.csv").unwrap();
    assert!(t.append(other).is_err());
}

#[test]
fn compressed_tables() {
    use std::io::Write;
    let text = format!("{}\n{}\n", COLUMNS.join(","), sweep_row(5.0).to_csv());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    assert_eq!(read(&path).unwrap().rows.len(), 1);
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    assert!(read(&path).is_err());
}
