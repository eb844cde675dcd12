//! The shipped HLS models, and retraining them from the tables when these are beside the checkout.

use netfold_surrogate::dataset::hls_csv::resource_chain;
use netfold_surrogate::dataset::read;
use netfold_surrogate::eval::evaluate;
use netfold_surrogate::hls::{HlsModel, HlsTool};
use netfold_surrogate::model::Target;
use std::path::PathBuf;

#[test]
fn answers_with_provenance() {
    let model = HlsModel::shipped(HlsTool::Vitis2023).unwrap();
    assert_eq!(model.provenance().tool, "Vitis HLS 2023.2");
    assert!(model.provenance().rows > 1000 && !model.provenance().data.is_empty());
    let p = model.predict(&resource_chain(&[64, 48, 32], 8, 1024));
    assert!(p.out_of_range.is_empty(), "{:?}", p.out_of_range);
    // Reuse factors 1024 and 768 give 3 and 2 multipliers; five cycles of call and return.
    assert_eq!(p.get(Target::Dsp).unwrap().value, 5.0);
    assert_eq!(p.get(Target::LatencyCycles).unwrap().value, 1024.0 + 768.0 + 5.0);
    let lut = p.get(Target::Lut).unwrap();
    assert!(lut.low < lut.value && lut.value < lut.high && lut.value > 5000.0, "{lut:?}");
    let far = model.predict(&resource_chain(&[700, 48, 32, 8, 8], 8, 1024));
    assert!(far.out_of_range.iter().any(|m| m.starts_with("number of layers: 4")), "{:?}", far.out_of_range);
    assert!(HlsModel::shipped(HlsTool::Vivado2020).unwrap().provenance().tool.contains("Vivado"));
    assert!(HlsModel::new(model.surrogate().clone()).is_ok());
}

/// The tables are not part of the repository; where they are beside it, the shipped weights must know them well.
#[test]
fn shipped_weights_fit_their_tables() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let tables =
        [(HlsTool::Vitis2023, "wa_hls4ml_dense_2_3_layers.csv"), (HlsTool::Vivado2020, "hls4ml_dense_rows.csv")];
    for (tool, name) in tables {
        let path = folder.join(name);
        if !path.exists() {
            eprintln!("SKIPPED: {name} is not beside the checkout");
            continue;
        }
        let report = evaluate(HlsModel::shipped(tool).unwrap().surrogate(), &read(&path).unwrap());
        for (target, most) in [("lut", 2.0), ("ff", 2.5), ("dsp", 0.5), ("latency_cycles", 0.5), ("bram36", 3.0)] {
            assert!(report.targets[target].smape < most, "{name} {target}: {:?}", report.targets[target]);
        }
    }
}
