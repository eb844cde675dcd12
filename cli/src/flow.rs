//! From arguments to a prepared network and a design.

use crate::args::{DesignArgs, FASTEST, LOWEST, Method};
use crate::example;
use crate::folded::Folded;
use crate::formats::{ConfigFormats, check_pins, pins};
use crate::models::{self, Model};
use crate::unroll::Styles;
use netfold_boards::Board;
use netfold_frontend::config::{CalibrationMethod, Config};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::net::{Network, eval};
use netfold_passes::fold::Pin;
use netfold_passes::optimize::Known;
use netfold_passes::pipeline::{self, Prepared, Target};
use netfold_passes::precision::{Calibration, RangeMethod};
use netfold_sim::npy::Array;
use netfold_surrogate::hardware::PriceList;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Board for which designs are made when none is named.
pub const DEFAULT_BOARD: &str = "pynq-z2";

/// A network ready to be folded, with everything that the user said.
pub struct Job {
    /// The configuration, with what the command line says on top.
    pub config: Config,
    /// The board or part.
    pub board: Board,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// The network level after quantization.
    pub net: Network,
    /// The integer network.
    pub prepared: Prepared,
    /// Foldings that were asked for.
    pub pins: HashMap<String, Pin>,
    /// What the design must reach.
    pub target: Target,
    /// Which layers are unrolled, and how.
    pub styles: Styles,
    /// The user's model of resources.
    pub surrogate: Option<Model>,
    /// What things cost, by the model of netfold's own hardware.
    pub prices: PriceList,
    /// Prices of the network's operators that are known already.
    pub known: Known,
}

/// Prints a note for the user.
pub fn note(text: impl AsRef<str>) {
    eprintln!("note: {}", text.as_ref().escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"));
}

/// The configuration of the arguments, and the folder that its paths are relative to.
pub fn configuration(args: &DesignArgs) -> Result<(Config, PathBuf), Diags> {
    let (config, folder) = match &args.config {
        Some(path) => {
            let (config, warnings) = Config::load(path)?;
            warnings.iter().for_each(|w| eprintln!("{w}"));
            (config, path.parent().unwrap_or(Path::new("")).to_path_buf())
        }
        None if args.model.is_none() => (Config::parse(example::CONFIG)?.0, PathBuf::new()),
        None => (Config::default(), PathBuf::new()),
    };
    Ok((config, folder))
}

/// Reads and parses the model of the arguments (or of the configuration, or the example).
pub fn load(args: &DesignArgs, config: &Config, folder: &Path) -> Result<Network, Diags> {
    let path = match (&args.model, &config.model.onnx) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(file)) if args.config.is_some() => Some(folder.join(file)),
        _ => None,
    };
    let files = &config.model;
    match path {
        Some(path) => netfold_frontend::onnx::load(&path),
        None if files.keras.is_some() || files.keras_json.is_some() || files.keras_h5.is_some() => {
            Err(Diag::new(Code::Unsupported, "configuration", "Keras models are not read")
                .help("convert the model to ONNX (tf2onnx, or qonnx for QKeras) and name the file in OnnxModel")
                .into())
        }
        None => netfold_frontend::onnx::parse(example::MODEL, None, example::NAME),
    }
}

/// Parses and prepares everything but the folding.
pub fn job(args: &DesignArgs) -> Result<Job, Diags> {
    let surrogate = args.surrogate.as_deref().map(models::load).transpose()?;
    job_with(args, surrogate)
}

/// As [`job`], with the arguments' model read already.
pub fn job_with(args: &DesignArgs, surrogate: Option<Model>) -> Result<Job, Diags> {
    let (mut config, folder) = configuration(args)?;
    if args.max_utilization.is_some() {
        config.target.max_utilization = args.max_utilization;
    }
    if args.effort.is_some() {
        config.target.effort = args.effort;
    }
    let board = board(args, &config, &folder)?;
    models::prefetch(surrogate.as_ref(), &board);
    let mut net = load(args, &config, &folder)?;
    if let Some(name) = &config.project_name {
        net.name.clone_from(name);
    }
    let clock_mhz = args.clock_mhz.or(config.clock_mhz).unwrap_or(board.clock_mhz);
    let names: Vec<String> =
        net.graph.ids().into_iter().flat_map(|id| netfold_passes::quantize::names_of(&net, id)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    config.check_layers(&names)?.iter().for_each(|w| eprintln!("{w}"));
    let prepared = prepare(args, &config, &folder, &mut net)?;
    let target = target(args, &config, clock_mhz, &board)?;
    let reuse = matches!(target, Target::Multipliers(_));
    let pins = pins(&config, &net, reuse);
    check_pins(&pins, &prepared.int)?;
    let styles = Styles::new(args.style, &config, &net, &prepared.int)?;
    let prices = PriceList::new(models::of_board(surrogate.as_ref(), &board)?);
    let known = Known::default();
    Ok(Job { config, board, clock_mhz, net, prepared, pins, target, styles, surrogate, prices, known })
}

/// Normalizes, calibrates and converts a network in place.
pub fn prepare(args: &DesignArgs, config: &Config, folder: &Path, net: &mut Network) -> Result<Prepared, Diags> {
    net.verify()?;
    netfold_passes::normalize::run(net)?;
    let calibration = calibration(args, config, folder, net)?;
    let formats = ConfigFormats(config);
    let prepared = pipeline::prepare(net, &formats, calibration.as_ref())?;
    if prepared.summary.defaulted > 0 && calibration.is_none() {
        note(format!(
            "{} tensor(s) have no number format and get ap_fixed<16,6,AP_RND,AP_SAT>, weights 16 bits; for smaller and better \
             hardware give precisions in a configuration (-c), calibrate (--calibrate X.npy --bits 8) or train with QONNX \
             quantizers",
            prepared.summary.defaulted
        ));
    }
    Ok(prepared)
}

/// Observed values for calibration, when asked for.
fn calibration(args: &DesignArgs, config: &Config, folder: &Path, net: &Network) -> Result<Option<Calibration>, Diags> {
    let asked = config.calibration.as_ref();
    let data: Vec<(String, PathBuf)> = if args.calibrate.is_empty() {
        let data = asked.map(|c| c.data.clone()).unwrap_or_default();
        data.into_iter().map(|(n, p)| (n, folder.join(p))).collect()
    } else {
        args.calibrate.iter().map(|t| named(t)).collect()
    };
    if data.is_empty() {
        if args.bits.is_some() || args.method.is_some() {
            return Err(Diag::new(Code::Usage, "--bits", "calibration needs data")
                .help("add --calibrate X.npy with representative inputs")
                .into());
        }
        return Ok(None);
    }
    let method = match (args.method, asked.map(|c| c.method)) {
        (Some(Method::Minmax), _) | (None, None | Some(CalibrationMethod::MinMax)) => RangeMethod::MinMax,
        (Some(Method::Percentile), _) => RangeMethod::Percentile(99.9),
        (Some(Method::Mse), _) | (None, Some(CalibrationMethod::Mse)) => RangeMethod::Mse,
        (None, Some(CalibrationMethod::Percentile(p))) => RangeMethod::Percentile(p),
    };
    let bits = args.bits.or_else(|| asked.and_then(|c| c.bits)).unwrap_or(8);
    let arrays = arrays(&data, &net.inputs.iter().map(|p| (p.name.clone(), p.shape.clone())).collect::<Vec<_>>())?;
    let samples = arrays.samples.min(CALIBRATION_SAMPLES);
    let inputs: Vec<Vec<f64>> =
        arrays.values.iter().map(|v| v[..v.len() / arrays.samples * samples].to_vec()).collect();
    let observed = eval::visit(
        net,
        &inputs,
        samples,
        HashMap::<usize, (String, Vec<f32>)>::new,
        |acc, id, values| {
            let entry = acc.entry(id.index()).or_insert_with(|| (net.graph.node(id).name.clone(), Vec::new()));
            // The extremes always, the rest thinned out.
            let stride = (values.len() * samples / CALIBRATION_VALUES).max(1);
            let (lo, hi) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            entry.1.extend([lo as f32, hi as f32]);
            entry.1.extend(values.iter().step_by(stride).map(|v| *v as f32));
        },
        |mut a, b| {
            for (k, (name, values)) in b {
                a.entry(k).or_insert_with(|| (name, Vec::new())).1.extend(values);
            }
            a
        },
    )?;
    Ok(Some(Calibration { bits, method, values: observed.into_values().collect() }))
}

/// Most samples used in calibration.
const CALIBRATION_SAMPLES: usize = 512;
/// Values kept of each tensor, about.
const CALIBRATION_VALUES: usize = 100_000;

/// `NAME=FILE`, or a file for the only input.
///
/// A text that is the path of a file as it stands is one, whatever `=` it holds.
pub fn named(text: &str) -> (String, PathBuf) {
    match text.split_once('=') {
        Some((name, file)) if !Path::new(text).exists() => (name.to_string(), PathBuf::from(file)),
        _ => (String::new(), PathBuf::from(text)),
    }
}

/// Arrays of all inputs (or outputs), with the same number of samples.
pub struct Arrays {
    /// One a port, in the ports' order.
    pub values: Vec<Vec<f64>>,
    /// Number of samples.
    pub samples: usize,
}

/// Loads one array for every port of (name, shape of a sample).
pub fn arrays(data: &[(String, PathBuf)], ports: &[(String, Vec<usize>)]) -> Result<Arrays, Diags> {
    let names = || ports.iter().map(|(n, _)| format!("{n:?}")).collect::<Vec<_>>().join(", ");
    let mut diags = Diags::new();
    for (k, (name, path)) in data.iter().enumerate() {
        if data[..k].iter().any(|(n, _)| n == name) {
            diags.push(
                Diag::new(Code::Usage, path.display().to_string(), "a second file for the same port")
                    .help(format!("give one NAME=FILE.npy for each of {}", names())),
            );
        }
        if !name.is_empty() && !ports.iter().any(|(n, _)| n == name) {
            diags.push(
                Diag::new(Code::Usage, path.display().to_string(), format!("no port is called {name:?}"))
                    .help(format!("ports: {}", names())),
            );
        }
    }
    diags.into_result(())?;
    let mut values = Vec::new();
    let mut samples: Option<usize> = None;
    for (name, shape) in ports {
        let file = data.iter().find(|(n, _)| n == name || n.is_empty() && ports.len() == 1);
        let Some((_, path)) = file else {
            return Err(Diag::new(Code::Usage, name, "no data for this port")
                .help(format!("give NAME=FILE.npy for each of {}", names()))
                .into());
        };
        let array = Array::load(path)?;
        let per: usize = shape.iter().product();
        let place = path.display().to_string();
        // A batch, its samples flat or not; or one sample alone.
        let batch = array.shape.iter().skip(1).product::<usize>() == per && !array.shape.is_empty();
        if per == 0 || array.is_empty() || !(batch || array.len() == per) {
            return Err(Diag::new(
                Code::Usage,
                place,
                format!("an array {:?} is not a batch of samples {shape:?}", array.shape),
            )
            .help("the first dimension of the array is the batch")
            .into());
        }
        let n = array.len() / per;
        if *samples.get_or_insert(n) != n {
            return Err(
                Diag::new(Code::Usage, place, format!("{n} samples, where another array has another number")).into()
            );
        }
        values.push(array.to_f64());
    }
    Ok(Arrays { values, samples: samples.unwrap_or(0) })
}

/// The board of the arguments, the configuration, or the default.
fn board(args: &DesignArgs, config: &Config, folder: &Path) -> Result<Board, Diag> {
    if let Some(text) = &args.board {
        return Board::resolve(text);
    }
    if let Some(text) = &config.board {
        let beside = folder.join(text);
        return if beside.is_file() { Board::load(&beside) } else { Board::resolve(text) };
    }
    match &config.part {
        Some(part) => Board::for_part(part),
        None => Board::resolve(DEFAULT_BOARD),
    }
}

/// What the design must reach: the command line, then the configuration's target, then as fast as fits in the share given there, then
/// the rate of about as many multipliers as half of the board holds.
fn target(args: &DesignArgs, config: &Config, clock_mhz: f64, board: &Board) -> Result<Target, Diag> {
    let cycles = |ns: f64| ((ns * clock_mhz / 1000.0) as u64).max(1);
    // A rate written as clock / cycles must give the same cycles back.
    let interval = |fps: f64| match (clock_mhz * 1e6 / fps * (1.0 + 1e-9)) as u64 {
        0 => {
            let most = clock_mhz * 1e6;
            let cause = format!("{fps} frames/s are more than one a cycle of {clock_mhz} MHz");
            Err(Diag::new(Code::DoesNotFit, "--fps", cause).help(format!("at most {most} frames/s, or a faster clock")))
        }
        cycles => Ok(Target::Interval(cycles)),
    };
    if let Some(ns) = args.latency_ns {
        return Ok(if ns == LOWEST { Target::LowestLatency } else { Target::Latency(cycles(ns)) });
    }
    if let Some(fps) = args.fps {
        return if fps == FASTEST { Ok(Target::Fastest) } else { interval(fps) };
    }
    if let Some(ns) = config.target.latency_ns {
        return Ok(Target::Latency(cycles(ns)));
    }
    if let Some(fps) = config.target.fps {
        return interval(fps);
    }
    if config.target.max_utilization.is_some() {
        return Ok(Target::Fastest);
    }
    let multipliers = board.resources.dsp_count() / 2 + board.resources.lut / 400;
    Ok(Target::Multipliers(usize::try_from(multipliers).unwrap_or(usize::MAX).max(1)))
}

impl Job {
    /// Makes designs that have HLS code: programs of several cycles have none, so only a configuration that asks for them makes them.
    pub fn for_hls(&mut self) {
        self.config.unrolled.interval.get_or_insert(1);
    }

    /// Folds, lowers and sizes FIFOs.
    ///
    /// # Errors
    /// [`Code::DoesNotFit`] when the target cannot be reached, with the nearest one that can.
    pub fn build(&self) -> Result<Folded, Diag> {
        crate::unroll::build(self)
    }

    /// As [`Job::build`], in the stream style only.
    ///
    /// # Errors
    /// As [`Job::build`].
    pub fn build_streams(&self) -> Result<Folded, Diag> {
        crate::fit::streams(self)
    }
}
