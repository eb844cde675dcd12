//! `netfold explore`: every point's command makes that design again.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{json, netfold, number};
use std::path::Path;
use std::process::Command;

#[test]
fn every_printed_command_makes_its_point_again() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("front.svg");
    let front = json(netfold().args(["explore", "--board", "pynq-z2", "--points", "5", "--plot"]).arg(&plot));
    let points = front["points"].as_array().unwrap();
    assert!(points.len() >= 5, "{} points", points.len());
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.matches("<circle").count() >= points.len(), "a mark a point");
    let binary = Path::new(env!("CARGO_BIN_EXE_netfold")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(binary.to_path_buf()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    for (i, point) in points.iter().enumerate() {
        let command = point["command"].as_str().unwrap();
        let place = folder.path().join(i.to_string());
        std::fs::create_dir(&place).unwrap();
        let done = Command::new("sh").args(["-c", command]).env("PATH", &path).current_dir(&place).output().unwrap();
        assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
        let report = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path().join("report.json");
        let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
        for cycles in ["latency_cycles", "interval_cycles"] {
            assert_eq!(number(&report, cycles), number(point, cycles), "{command}");
        }
        let counted = |key: &str| report["resources"][key]["value"].as_f64().unwrap();
        let used = &point["used"];
        assert_eq!(counted("lut") + counted("lutram"), used["lut"].as_f64().unwrap(), "{command}");
        assert_eq!(counted("ff"), used["ff"].as_f64().unwrap(), "{command}");
        assert_eq!(counted("dsp"), used["dsp"].as_f64().unwrap(), "{command}");
        assert_eq!(counted("bram36") * 2.0, used["bram18"].as_f64().unwrap(), "{command}");
    }
}
