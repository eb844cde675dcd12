//! Reports of the vendor's tools, on samples made by hand in their form.

use netfold_codegen::report::{
    Prediction, Resources, parse_cosim, parse_csynth, parse_timing, parse_utilization, read,
};
use netfold_ir::diag::Code;
use std::path::Path;

fn samples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")
}

#[test]
fn a_folder_of_reports_is_read() {
    let report = read(&samples()).unwrap_or_else(|d| panic!("{d}"));
    assert_eq!(report.files.len(), 4, "{:?}", report.files);
    let csynth = report.csynth.as_ref().unwrap();
    assert_eq!((csynth.top.as_deref(), csynth.version.as_deref()), (Some("myproject"), Some("2023.2")));
    assert_eq!(
        (csynth.latency_cycles, csynth.latency_min_cycles, csynth.interval_cycles),
        (Some(97), Some(95), Some(36))
    );
    assert_eq!(
        (csynth.estimated_clock_ns, csynth.target_clock_ns, csynth.clock_uncertainty_ns),
        (Some(4.0), Some(5.0), Some(0.62))
    );
    let expected =
        Resources { lut: Some(5100.0), ff: Some(2400.0), dsp: Some(24.0), bram36: Some(1.5), uram: Some(0.0) };
    assert_eq!(csynth.resources, expected);
    assert_eq!(csynth.available.lut, Some(1_728_000.0));
    let modules: Vec<_> =
        csynth.modules.iter().map(|m| (m.name.as_str(), m.latency_cycles, m.interval_cycles)).collect();
    assert_eq!(
        modules,
        [("matrix_vector_fc1_config_s", Some(36), Some(36)), ("threshold_bank_relu1_config_s", None, None)]
    );

    let cosim = report.cosim.as_ref().unwrap();
    assert_eq!((cosim.language.as_str(), cosim.status.as_str()), ("Verilog", "Pass"));
    assert_eq!((cosim.latency_cycles, cosim.interval_cycles[2]), ([Some(98.0), Some(99.0), Some(101.0)], Some(37.0)));

    let used = report.utilization.unwrap().used;
    assert_eq!(
        (used.lut, used.ff, used.dsp, used.bram36, used.uram),
        (Some(4200.0), Some(2300.0), Some(20.0), Some(1.5), Some(0.0))
    );
    assert_eq!(report.utilization.unwrap().available.dsp, Some(12288.0));

    let timing = report.timing.as_ref().unwrap();
    assert_eq!(
        (timing.worst_slack_ns, timing.worst_hold_slack_ns, timing.clock_period_ns),
        (Some(1.0), Some(0.04), Some(5.0))
    );
    assert_eq!(timing.fmax_mhz, Some(250.0));
}

#[test]
fn figures_stand_beside_the_prediction() {
    let report = read(&samples()).unwrap();
    let resources = Resources { lut: Some(4000.0), dsp: Some(20.0), ..Resources::default() };
    let prediction = Prediction { latency_cycles: Some(100.0), interval_cycles: Some(32.0), fmax_mhz: None, resources };
    let rows = report.compare(&prediction);
    let row = |figure: &str| rows.iter().find(|r| r.figure == figure).unwrap();
    assert_eq!(row("latency_cycles").ratio, Some(1.01));
    assert_eq!(row("lut").ratio, Some(1.05));
    assert_eq!((row("ff").predicted, row("ff").measured, row("ff").ratio), (None, Some(2300.0), None));
    let table = report.table(&prediction);
    assert!(table.contains("cosimulation: Pass") && table.contains("the clock is met"), "{table}");
    let line = table.lines().find(|l| l.starts_with("interval_cycles")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["interval_cycles", "32", "36", "37", "1.16"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["csynth"]["resources"]["lut"], 5100.0);
}

#[test]
fn functions_of_the_tool_meet_their_modules() {
    let report = read(&samples()).unwrap();
    let json = r#"{"project": "p", "header": "h", "sources": [], "include": [], "io": "io_stream", "strategy": "Auto",
        "unrolled": false, "part": "x", "clock_period_ns": 5.0, "interval_cycles": 32, "inputs": [], "outputs": [], "notes": [],
        "layers": [{"module": "c1", "layer": "short", "kind": "mvu", "cycles": 1, "reuse": 1},
                   {"module": "fc1", "layer": "dense", "kind": "mvu", "cycles": 32, "reuse": 32},
                   {"module": "relu1", "layer": "relu", "kind": "thresholds", "cycles": 8, "reuse": null}]}"#;
    let layers = report.layers(&serde_json::from_str(json).unwrap());
    let found: Vec<_> = layers.iter().map(|l| (l.layer.as_str(), l.csynth_cycles, l.resources.lut)).collect();
    assert_eq!(found, [("short", None, None), ("dense", Some(36), Some(1800.0)), ("relu", None, Some(120.0))]);
    assert_eq!(layers[1].predicted_cycles, 32);
}

#[test]
fn older_names_and_seven_series_are_known() {
    let xml = "<profile><PerformanceEstimates/><AreaEstimates><Resources><DSP48E>7</DSP48E></Resources></AreaEstimates></profile>";
    let old = parse_csynth("x", xml).unwrap();
    assert_eq!((old.resources.dsp, old.latency_cycles), (Some(7.0), None));
    let slices = "| Site Type | Used | Fixed | Available | Util% |\n+--+\n| Slice LUTs | 12 | 0 | 53200 | 0.1 |\n\n| Slice LUTs | 5 |\n";
    assert_eq!(parse_utilization("x", slices).unwrap().0.lut, Some(12.0));
}

#[test]
fn broken_reports_are_errors_that_name_the_file() {
    assert_eq!(parse_csynth("a.xml", "<profile>").unwrap_err().place, "a.xml");
    assert_eq!(parse_csynth("a.xml", "<html/>").unwrap_err().code, Code::Format);
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><profile>&a;</profile>";
    assert_eq!(parse_csynth("a.xml", bomb).unwrap_err().code, Code::Format);
    for text in ["", "| Verilog | NA | NA | NA | NA | NA | NA | NA | NA |", "|||"] {
        assert_eq!(parse_cosim("c.rpt", text).unwrap_err().code, Code::Format, "{text:?}");
    }
    assert!(parse_utilization("u.rpt", "| Site Type | Used |\n| CLB LUTs | many |").is_err());
    assert!(parse_timing("t.rpt", "nothing").is_err());
    assert_eq!(parse_timing("t.rpt", "WNS(ns)  TNS(ns)\n").unwrap().worst_slack_ns, None);
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("csynth.xml"), "not xml").unwrap();
    std::fs::write(home.path().join("x_cosim.rpt"), "nothing").unwrap();
    assert_eq!(read(home.path()).unwrap_err().iter().count(), 2, "all broken reports are told");
}

#[test]
fn without_reports_the_tools_own_error_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let diags = read(home.path()).unwrap_err();
    assert_eq!(diags.iter().next().unwrap().code, Code::Tool);
    std::fs::write(home.path().join("vitis_hls.log"), "INFO: x\nERROR: [HLS 200-70] no part\n").unwrap();
    assert!(read(home.path()).unwrap_err().to_string().contains("[HLS 200-70] no part"));
    assert_eq!(read(&home.path().join("none")).unwrap_err().iter().next().unwrap().code, Code::Io);
}
