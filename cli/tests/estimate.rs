//! `netfold estimate`: the HLS answer, many files at once, the exit status.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{contents, json, netfold, number, root};
use serde_json::Value;

#[test]
fn the_vitis_backend_says_what_it_learned_and_what_is_outside_of_it() {
    let model = root().join("examples/jet_tagger/model.onnx");
    let near = json(netfold().arg("estimate").arg(&model).args(["--backend", "vitis", "--clock-mhz", "200"]));
    assert_eq!(near["backend"], "vitis");
    assert_eq!(near["model"]["tool"], "Vitis HLS 2023.2");
    assert_eq!(number(&near["model"], "rows"), 1724);
    assert!(near["model"]["trained_on"].as_str().unwrap().contains("dense layers"));
    let outside: Vec<&str> = near["outside"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    assert!(outside.iter().any(|t| t.starts_with("part:")), "{outside:?}");
    assert!(!outside.iter().any(|t| t.starts_with("clock")), "{outside:?}");
    // A further difference widens the interval.
    let far = json(netfold().arg("estimate").arg(&model).args(["--backend", "vitis", "--clock-mhz", "50"]));
    let width =
        |v: &Value| v["resources"]["lut"]["high"].as_f64().unwrap() - v["resources"]["lut"]["low"].as_f64().unwrap();
    assert!(
        far["outside"].as_array().unwrap().iter().any(|t| t.as_str().unwrap().starts_with("clock period: 20.0 ns"))
    );
    assert!(width(&far) > width(&near));
}

#[test]
fn many_models_give_a_line_each_and_a_bad_one_the_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(root().join(from), folder.path().join(to)).unwrap();
    copy("examples/jet_tagger/model.onnx", "a.onnx");
    copy("examples/digits_mlp/model.onnx", "b.onnx");
    std::fs::write(folder.path().join("c.onnx"), b"no model").unwrap();
    std::fs::write(folder.path().join("d.yaml"), "clock_mhz: 100\n").unwrap();
    std::fs::write(folder.path().join("ignored.txt"), b"").unwrap();
    let output = netfold().arg("estimate").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    for (line, name) in lines.iter().zip(["a.onnx", "b.onnx", "c.onnx", "d.yaml"]) {
        assert!(line["file"].as_str().unwrap().ends_with(name));
    }
    assert!(lines[0]["interval_cycles"].is_u64() && lines[1]["resources"]["lut"]["value"].is_f64());
    assert!(lines[0]["errors"].is_null());
    assert_eq!(lines[2]["errors"][0]["code"], "E02");
    assert_eq!(lines[3]["errors"][0]["code"], "E05");
    // The same figures as alone.
    let alone = json(netfold().arg("estimate").arg(folder.path().join("b.onnx")));
    assert_eq!(alone["resources"], lines[1]["resources"]);
    let good =
        netfold().arg("estimate").args([folder.path().join("a.onnx"), folder.path().join("b.onnx")]).output().unwrap();
    assert_eq!(good.status.code(), Some(0));
}

#[test]
fn a_model_file_of_the_users_answers_for_hls() {
    let shipped = root().join("surrogate/weights/vivado_hls_2020_1.nfsm");
    let model = root().join("examples/jet_tagger/model.onnx");
    let answer = json(netfold().arg("estimate").arg(model).args(["--backend", "vitis", "--surrogate"]).arg(shipped));
    assert_eq!(answer["model"]["tool"], "Vivado HLS 2020.1");
}

#[test]
fn gen_and_estimate_agree_and_gen_refuses_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let model = root().join("examples/jet_tagger/model.onnx");
    let dir = folder.path().join("made");
    let made = netfold().arg("gen").arg(&model).args(["--fps", "1e6", "-o"]).arg(&dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(dir.join("report.json")).unwrap()).unwrap();
    let estimate = json(netfold().arg("estimate").arg(&model).args(["--fps", "1e6"]));
    for part in ["resources", "layers", "utilization", "latency_cycles", "fits", "outside"] {
        assert_eq!(report[part], estimate[part], "{part}");
    }
    // What was proved is said, with the time that it took where that may differ from run to run.
    for solve in [&report["solve"], &estimate["solve"]] {
        assert_eq!(solve["gap"], 0.0, "{solve}");
        assert!(solve["objective"].as_str().unwrap().contains("every 100 cycles"), "{solve}");
        assert!(number(&solve["within"], "lut") > 0, "{solve}");
    }
    assert!(report["solve"]["seconds"].is_null() && estimate["solve"]["seconds"].as_f64().unwrap() > 0.0);
    let table = netfold().arg("estimate").arg(&model).args(["--fps", "1e6"]).output().unwrap();
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("proved optimal within") && table.contains("solved in"), "{table}");
    // More effort tells the same of what is proved; it is within bounds.
    let mut more = json(netfold().arg("estimate").arg(&model).args(["--fps", "1e6", "--effort", "2"]));
    more["solve"]["seconds"] = estimate["solve"]["seconds"].clone();
    assert_eq!(more, estimate);
    let wrong = netfold().arg("estimate").arg(&model).args(["--effort", "0"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("0.1 to 1000"));
    // The prices of the folding optimizer are the estimate's own.
    let (r, used) = (&estimate["resources"], &estimate["utilization"]["used"]);
    let value = |name: &str| r[name]["value"].as_f64().unwrap();
    assert_eq!(value("lut") + value("lutram"), number(used, "lut") as f64);
    assert_eq!(value("dsp"), number(used, "dsp") as f64);
    assert_eq!(2.0 * value("bram36"), number(used, "bram18") as f64);
    // The same folding within a little more than it needs, and within less.
    let share = |name: &str| r[name]["value"].as_f64().unwrap() / r[name]["available"].as_f64().unwrap();
    let tables = (value("lut") + value("lutram")) / r["lut"]["available"].as_f64().unwrap();
    let most = ["ff", "dsp", "bram36"].into_iter().map(share).fold(tables, f64::max);
    for (factor, fits) in [(1.3, true), (0.7, false)] {
        let again = folder.path().join(format!("again{factor}"));
        let config = dir.join("config.yaml");
        let mut run = netfold();
        run.arg("gen").arg(&model).arg("-c").arg(config).arg("-o").arg(&again);
        let run = run.args(["--max-utilization", &(most * factor).to_string()]).output().unwrap();
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(i32::from(!fits)), "{stderr}");
        assert!(fits || stderr.contains("E07"), "{stderr}");
        assert_eq!(again.exists(), fits);
    }
    // What no search chose is refused too: every constant in the logic of a small device.
    let full = folder.path().join("full");
    let mut run = netfold();
    run.arg("gen").arg(&model).args(["--board", "icebreaker", "--style", "unrolled", "-o"]).arg(&full);
    let run = run.output().unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("E07") && stderr.contains("LUT"), "{stderr}");
    assert!(!full.exists());
}

#[test]
fn the_clock_is_estimated_and_flagged_where_it_is_below_what_was_asked() {
    let model = root().join("examples/jet_tagger/model.onnx");
    let at = |mhz: &str, board: &str| {
        json(netfold().arg("estimate").arg(&model).args(["--fps", "1e5", "--clock-mhz", mhz, "--board", board]))
    };
    for (board, checked) in [("ulx3s-85f", true), ("pynq-z2", false)] {
        let (slow, fast) = (at("20", board), at("700", board));
        for (estimate, meets) in [(&slow, true), (&fast, false)] {
            let f = &estimate["fmax_mhz"];
            let [low, value, high] = ["low", "value", "high"].map(|k| f[k].as_f64().unwrap());
            assert!(20.0 < low && low < value && value < high && high < 700.0, "{f}");
            assert_eq!((f["meets_clock"].as_bool(), f["checked"].as_bool()), (Some(meets), Some(checked)));
        }
    }
    let text = netfold().arg("estimate").arg(&model).args(["--fps", "1e5", "--clock-mhz", "700"]).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("below the clock that was asked for"));
}

#[test]
fn layers_of_both_styles_mix_where_that_is_smaller_and_the_configuration_says_which() {
    let model = root().join("examples/jet_tagger/model.onnx");
    let folder = tempfile::tempdir().unwrap();
    let [first, again] = ["first", "again"].map(|n| folder.path().join(n));
    let mut run = netfold();
    run.arg("gen").arg(&model).args([
        "--board",
        "pynq-z2",
        "--clock-mhz",
        "200",
        "--fps",
        "1.2e7",
        "--style",
        "auto",
        "-o",
    ]);
    let run = run.arg(&first).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let config = std::fs::read_to_string(first.join("config.yaml")).unwrap();
    assert!(config.contains("style: stream\n") && config.contains("style: unrolled\n"), "{config}");
    let mut run = netfold();
    let run = run.arg("gen").arg(&model).arg("-c").arg(first.join("config.yaml")).arg("-o").arg(&again).output();
    let run = run.unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let [first, again] = [first, again].map(|d| contents(&d.join("rtl")));
    assert!(first == again, "the configuration makes another design");
}
