//! The configuration as its users meet it: whole files in, settings, errors and warnings out.

#![allow(clippy::unwrap_used)] // helpers of tests, outside the functions that clippy knows as tests

use netfold_frontend::config::{
    Backend, CalibrationMethod, Config, Format, IoType, LayerRef, Multipliers, Setting, Source, Strategy, Style, Var,
    Warning, Weights,
};
use std::path::Path;

const EVERYTHING: &str = "\
OnnxModel: net.onnx
InputData: x.npy
OutputPredictions: y.npy
OutputDir: out dir
ProjectName: my_net
Backend: Vitis
board: pynq-z2
Part: xc7z020clg400-1
ClockPeriod: 3
ClockUncertainty: 12.5%
IOType: io_stream
Stamp: 0012
Version: 1.0.0
HLSConfig:
  Model:
    Precision: {default: 'ap_fixed<16,6>', maximum: 'ap_fixed<32,16>'}
    ReuseFactor: 4
    Strategy: Latency
    BramFactor: 1000
  LayerType:
    Dense: {ReuseFactor: 8, Precision: {weight: 'ap_fixed<6,1>'}}
  LayerName:
    FC1:
      Precision: {result: 'ap_fixed<7,1,AP_RND_CONV,AP_SAT>', accum: auto}
      Strategy: resource
      ParallelizationFactor: 2
    'odd: name\\n': {}
    softmax: {table_size: 1024, exp_table_t: 'ap_fixed<18,8>', Strategy: Stable, skip: true}
target: {latency_ns: 500, fps: 1e6, max_utilization: 0.8, effort: 4}
style: auto
folding:
  fc1: {pe: 4, simd: 16, pixels: 1, style: stream, weights: bram, multipliers: dsp}
  fc2: {}
calibration: {data: calib.npy, bits: 8, method: percentile, percentile: 99.99}
quantization: {inputs: 'ap_ufixed<8,0>', activations: 8, weights: 6, biases: auto, per_channel: true}
";

fn parse(text: &str) -> (Config, Vec<Warning>) {
    Config::parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

/// A dense layer of that name.
macro_rules! dense {
    ($name:literal) => {
        LayerRef::new(&[$name], "dense")
    };
}

#[test]
fn every_key_is_read_and_written_back() {
    let (config, warnings) = parse(EVERYTHING);
    let ignored: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(ignored.len() == 1 && ignored[0].contains("BramFactor"), "{ignored:?}");
    assert_eq!(config.clock_mhz, Some(1000.0 / 3.0));
    assert_eq!(config.clock_uncertainty_percent, Some(12.5));
    assert_eq!((config.backend, config.io_type), (Some(Backend::Vitis), Some(IoType::Stream)));
    assert_eq!(config.stamp.as_deref(), Some("0012"));
    assert_eq!(config.hls.model.bram_factor, Some(1000));
    let fc1 = config.folding("FC1").unwrap();
    assert_eq!((fc1.pe, fc1.simd, fc1.pixels), (Some(4), Some(16), Some(1)));
    assert_eq!(
        (fc1.style, fc1.weights, fc1.multipliers),
        (Some(Style::Stream), Some(Weights::Bram), Some(Multipliers::Dsp))
    );
    let calibration = config.calibration.as_ref().unwrap();
    assert_eq!(calibration.method, CalibrationMethod::Percentile(99.99));
    assert_eq!(calibration.data, [(String::new(), "calib.npy".to_string())]);
    assert_eq!(config.quantization.weights, Some(Format::Bits(6)));
    assert_eq!((config.target.fps, config.target.max_utilization), (Some(1e6), Some(0.8)));
    assert_eq!(config.target.effort, Some(4.0));
    assert!(config.skip(LayerRef::new(&["softmax"], "softmax")));

    let text = config.to_yaml().unwrap();
    assert_eq!(parse(&text).0, config, "{text}");
    assert_eq!(parse(&parse(&text).0.to_yaml().unwrap()).0.to_yaml().unwrap(), text);
}

#[test]
fn the_empty_configuration_is_the_default() {
    for text in ["", "# nothing\n", "{}", "---\n"] {
        assert_eq!(parse(text), (Config::default(), vec![]));
    }
    assert_eq!(parse(&Config::default().to_yaml().unwrap()).0, Config::default());
}

#[test]
fn layer_name_over_layer_type_over_model() {
    let (config, _) = parse(EVERYTHING);
    let precision = |layer, var| config.precision(layer, var).map(|s| (s.value.to_string(), s.source));
    let full = |text: &str| text.to_string();
    assert_eq!(precision(dense!("fc1"), Var::Weight), Some((full("ap_fixed<6,1,AP_TRN,AP_SAT>"), Source::LayerType)));
    assert_eq!(
        precision(dense!("fc1"), Var::Result),
        Some((full("ap_fixed<7,1,AP_RND_CONV,AP_SAT>"), Source::LayerName))
    );
    assert_eq!(precision(dense!("fc9"), Var::Result), Some((full("ap_fixed<16,6,AP_TRN,AP_SAT>"), Source::Model)));
    assert_eq!(precision(dense!("fc1"), Var::Accum), Some((full("auto"), Source::LayerName)));
    assert_eq!(precision(dense!("fc9"), Var::Accum), None);
    let softmax = LayerRef::new(&["softmax"], "softmax");
    assert_eq!(precision(softmax, Var::ExpTable), Some((full("ap_fixed<18,8,AP_TRN,AP_SAT>"), Source::LayerName)));
    assert_eq!(precision(softmax, Var::InvTable), None);
    assert_eq!(config.reuse_factor(dense!("fc1")), Some(Setting { value: 8, source: Source::LayerType }));
    assert_eq!(config.reuse_factor(softmax), Some(Setting { value: 4, source: Source::Model }));
    assert_eq!(config.strategy(dense!("Fc1")), Some(Setting { value: Strategy::Resource, source: Source::LayerName }));
    assert_eq!(config.table_size(softmax), Some(Setting { value: 1024, source: Source::LayerName }));
    assert_eq!(config.parallelization_factor(dense!("fc2")), None);
    let alias = LayerRef::new(&["node_7", "fc1"], "dense");
    assert_eq!(config.parallelization_factor(alias), Some(Setting { value: 2, source: Source::LayerName }));
}

#[test]
fn all_mistakes_are_reported_with_line_and_nearest_key() {
    let text = "\
ClokPeriod: 5
Board: pynq-z2
board: kv260
ProjectName: 'x; rm'
HLSConfig:
  Modle: {}
  LayerType:
    Dens: {ReuseFactor: 2}
  LayerName:
    fc1:
      Precision: {wieght: 'ap_fixed<6,1>', bias: 'ap_fixd<6,1>'}
      ReuseFactor: 0
      Strategy: Resorce
folding: {fc1: {pe: four, smid: 2}}
target: 5
calibration: {method: mse, percentile: 99}
";
    let expected = "\
error[E05] at configuration, line 1, key \"ClokPeriod\": there is no key \"ClokPeriod\" here
  help: did you mean \"ClockPeriod\"?
error[E05] at configuration, line 3, key \"board\": kv260 here contradicts pynq-z2, which \"Board\" gives
  help: leave one of the two out
error[E05] at configuration, line 4, key \"ProjectName\": \"x; rm\" is not a name for a project
  help: a letter, then letters, digits and '_', at most 64 in all
error[E05] at configuration, line 6, key \"HLSConfig.Modle\": there is no key \"Modle\" here
  help: did you mean \"Model\"?
error[E05] at configuration, line 8, key \"HLSConfig.LayerType.Dens\": there is no key \"Dens\" here
  help: did you mean \"Dense\"?
error[E05] at configuration, line 11, key \"HLSConfig.LayerName.fc1.Precision.wieght\": there is no key \"wieght\" here
  help: did you mean \"weight\"?
error[E05] at configuration, line 11, key \"HLSConfig.LayerName.fc1.Precision.bias\": \"ap_fixd\" is not a number format
  help: did you mean \"ap_fixed\"?
error[E05] at configuration, line 12, key \"HLSConfig.LayerName.fc1.ReuseFactor\": \"0\" is not a whole number from 1 to 1099511627776
error[E05] at configuration, line 13, key \"HLSConfig.LayerName.fc1.Strategy\": \"Resorce\" is none of the values of this key
  help: did you mean \"Resource\"?
error[E05] at configuration, line 14, key \"folding.fc1.pe\": \"four\" is not a whole number from 1 to 16777216
error[E05] at configuration, line 14, key \"folding.fc1.smid\": there is no key \"smid\" here
  help: did you mean \"simd\"?
error[E05] at configuration, line 15, key \"target\": a mapping of keys and values is expected, and here is a single value
error[E05] at configuration, line 16, key \"calibration\": `percentile` belongs to `method: percentile`
  help: leave one of the two out";
    assert_eq!(errors(text), expected);
}

#[test]
fn keys_without_effect_are_warnings_with_a_reason() {
    let (config, warnings) = parse(
        "Backend: Quartus\nIOType: io_serial\nPytorchModel: net.pt\nInputShape: null\nHLSConfig:\n  Model: {Compression: false}\n  \
         LayerName:\n    a: {Trace: true}\n    b: {Trace: true, ConvImplementation: LineBuffer}\n    c: {Trace: false, Strategy: Legacy}\n",
    );
    let shown: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(shown.len(), 5, "{shown:#?}");
    assert!(shown[0].contains("line 1, key \\\"Backend\\\"") && shown[0].contains("verilog and vitis"), "{}", shown[0]);
    assert!(shown[3].contains("lines 8, 9, key \\\"Trace\\\""), "{}", shown[3]);
    assert_eq!((config.backend, config.io_type), (None, Some(IoType::Stream)));
    assert_eq!(config.strategy(dense!("c")).unwrap().value, Strategy::Stable);
}

#[test]
fn layer_names_are_held_against_the_network() {
    let (config, _) =
        parse("HLSConfig: {LayerName: {fc1_input: {ReuseFactor: 1}}}\nfolding: {fc_1: {pe: 1}, FC2: {pe: 1}}\n");
    let errors = config.check_layers(&["fc1", "fc2"]).unwrap_err().to_string();
    assert_eq!(
        errors,
        "error[E05] at configuration, key \"folding.fc_1\": the network has no layer \"fc_1\"\n  help: did you mean \"fc1\"?"
    );
    let warnings = config.check_layers(&["fc_1", "fc2"]).unwrap();
    assert!(warnings.len() == 1 && warnings[0].place.contains("fc1_input"), "{warnings:?}");
}

#[test]
fn hostile_text_is_refused_or_harmless() {
    let deep = format!("HLSConfig: {}", "{a: ".repeat(50_000));
    assert!(errors(&deep).contains("nested deeper"));
    assert!(errors("HLSConfig: &x {Model: *x}").contains("alias"));
    assert!(errors("quantization: {inputs: ap_fixed<6,1>}").contains("needs quotes"));
    assert!(errors("- a\n- b\n").contains("a mapping"));
    assert!(errors("ClockPeriod: .nan").contains("not a number"));
    assert!(errors("ClockPeriod: 1e999").contains("not a number"));
    assert!(errors("Part: 'x y'").contains("ordering code"));
    let injected = errors("\"a\\nerror[E99]: forged\": 1");
    assert_eq!(injected.lines().filter(|l| l.starts_with("error[")).count(), 1, "{injected}");
    // Cut anywhere, the file is read or refused, never a panic.
    for end in 0..EVERYTHING.len() {
        let _ = Config::parse(&EVERYTHING[..end]);
    }
    // So is one in which any byte has become another.
    for at in 0..EVERYTHING.len() {
        for byte in [b'{', b'&', b'*', b'\n', b'-', b'%', b'"', 0x07] {
            let mut bytes = EVERYTHING.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok((config, _)) = Config::parse(std::str::from_utf8(&bytes).unwrap()) {
                assert_eq!(parse(&config.to_yaml().unwrap()).0, config);
            }
        }
    }
}

#[test]
fn hls4ml_files_parse_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models/hls4ml-config");
    if !folder.is_dir() {
        eprintln!("skipped: no folder ../shared beside the checkout");
        return;
    }
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (config, warnings) = Config::load(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(config.clock_mhz, Some(200.0), "{}", path.display());
        assert!(config.part.is_some() && config.hls.model.precision.contains_key(&Var::Default));
        assert!(warnings.len() <= 1, "{warnings:?}");
        assert_eq!(parse(&config.to_yaml().unwrap()), (config, vec![]));
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn files_that_cannot_be_read() {
    assert!(Config::load(Path::new("/nonexistent/config.yaml")).unwrap_err().to_string().starts_with("error[E01]"));
}
