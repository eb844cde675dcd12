//! `netfold sim`: runs data through the network and compares.

use crate::args::DesignArgs;
use crate::{flow, hls, store};
use clap::{Args, ValueEnum};
use netfold_codegen::hls::Vectors;
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::int::IntNetwork;
use netfold_ir::int::golden::Golden;
use netfold_ir::rat;
use netfold_sim::npy::{Array, Dtype, Values};
use netfold_sim::{Csim, ModelSpec, RunOptions, RunResult, TraceFormat, Verilator};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The golden integer interpreter, which defines what is right
    Golden,
    /// The generated SystemVerilog in Verilator
    Verilator,
    /// The generated HLS C++, compiled here
    Csim,
}

impl Engine {
    fn as_str(self) -> &'static str {
        match self {
            Engine::Golden => "golden",
            Engine::Verilator => "verilator",
            Engine::Csim => "csim",
        }
    }
}

/// Run data through a network, or through a folder that `gen` made (given in place of the model).
#[derive(Debug, Args)]
pub struct Sim {
    #[command(flatten)]
    design: DesignArgs,
    /// What computes
    #[arg(long, value_enum, default_value = "golden")]
    engine: Engine,
    /// Inputs, with a leading batch dimension: X.npy, or NAME=X.npy for each input
    #[arg(long, value_name = "[NAME=]X.npy", required = true)]
    input: Vec<String>,
    /// Where to write the outputs
    #[arg(long, value_name = "[NAME=]Y.npy")]
    output: Vec<String>,
    /// Expected outputs to compare with
    #[arg(long, value_name = "[NAME=]Z.npy")]
    expect: Vec<String>,
    /// Largest difference from the expected outputs that counts as equal; half a step of the output when left out
    #[arg(long, value_name = "X")]
    tolerance: Option<f64>,
    /// Only the first N samples
    #[arg(long, value_name = "N")]
    samples: Option<std::num::NonZeroUsize>,
    /// Stall inputs and outputs at random from this seed
    #[arg(long, value_name = "SEED")]
    stalls: Option<u64>,
    /// Write waveforms (.fst or .vcd)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Folder with ap_int.h, for the csim engine
    #[arg(long, value_name = "DIR")]
    hls_include: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What the comparison with expected outputs found.
#[derive(Debug, Serialize)]
struct Comparison {
    values: usize,
    mismatches: usize,
    /// Largest difference, in steps of the output.
    max_difference_steps: f64,
    /// Largest difference.
    max_difference: f64,
    /// Samples whose largest output has the same index.
    same_argmax: usize,
}

/// The result as printed.
#[derive(Debug, Serialize)]
struct Report {
    engine: &'static str,
    samples: usize,
    #[serde(flatten)]
    comparison: Option<Comparison>,
    /// Integers that differ from the golden interpreter's; absent for the golden engine itself.
    golden_mismatches: Option<usize>,
    latency_cycles: Option<u64>,
    interval_cycles: Option<u64>,
    cycles: Option<u64>,
    clock_mhz: Option<f64>,
    latency_ns: Option<f64>,
    fps: Option<f64>,
    protocol_violations: Option<u64>,
    build_seconds: f64,
    seconds: f64,
}

/// What is simulated: the network and, for other engines than golden, what it was made into.
struct Subject {
    int: IntNetwork,
    clock_mhz: f64,
    source: Made,
}

/// Where a design comes from.
enum Made {
    Folder(PathBuf, Box<store::Manifest>),
    Fresh(Box<flow::Job>),
}

impl Sim {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        if self.engine != Engine::Verilator && (self.stalls.is_some() || self.trace.is_some()) {
            return Err(Diag::new(Code::Usage, "--engine", "stalls and waveforms need cycles")
                .help("add --engine verilator")
                .into());
        }
        let mut subject = self.subject()?;
        let int = std::mem::take(&mut subject.int);
        let golden = Golden::new(&int)?;
        let ports: Vec<(String, Vec<usize>)> = int.inputs.iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
        let data: Vec<(String, PathBuf)> = self.input.iter().map(|t| flow::named(t)).collect();
        let arrays = flow::arrays(&data, &ports)?;
        let samples = self.samples.map_or(arrays.samples, |n| n.get().min(arrays.samples));
        let mut inputs = Vec::new();
        for (p, values) in arrays.values.iter().enumerate() {
            inputs.push(golden.encode(p, &values[..values.len() / arrays.samples * samples])?);
        }
        let start = Instant::now();
        let reference = golden.run(&inputs, samples)?;
        let golden_seconds = start.elapsed().as_secs_f64();
        let mut report = Report {
            engine: self.engine.as_str(),
            samples,
            comparison: None,
            golden_mismatches: None,
            latency_cycles: None,
            interval_cycles: None,
            cycles: None,
            clock_mhz: None,
            latency_ns: None,
            fps: None,
            protocol_violations: None,
            build_seconds: 0.0,
            seconds: golden_seconds,
        };
        let outputs = match self.engine {
            Engine::Golden => reference.clone(),
            Engine::Verilator => self.verilator(&subject, &inputs, samples, &mut report)?,
            Engine::Csim => self.csim(&subject, &inputs, samples, &mut report)?,
        };
        if self.engine != Engine::Golden {
            let differ = |(a, b): (&Vec<i64>, &Vec<i64>)| {
                a.iter().zip(b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len())
            };
            report.golden_mismatches = Some(outputs.iter().zip(&reference).map(differ).sum());
        }
        let real: Vec<Vec<f64>> = outputs.iter().enumerate().map(|(p, q)| golden.decode(p, q)).collect();
        self.save(&int, &real, samples)?;
        report.comparison = self.compare(&int, &real, samples)?;
        self.print(&report)?;
        let wrong = report.comparison.as_ref().map_or(0, |c| c.mismatches) + report.golden_mismatches.unwrap_or(0);
        if wrong > 0 || report.protocol_violations.is_some_and(|v| v > 0) {
            return Err(Diag::new(Code::Mismatch, "", "the result differs from what is expected")
                .help("a tolerance for references in floating point is given with --tolerance")
                .into());
        }
        Ok(())
    }

    /// Loads the model or the generated folder.
    fn subject(&self) -> Result<Subject, Diags> {
        if let Some(dir) = self.design.model.as_ref().filter(|p| p.is_dir()) {
            let (manifest, int) = store::open(dir)?;
            return Ok(Subject {
                int,
                clock_mhz: manifest.clock_mhz,
                source: Made::Folder(dir.clone(), Box::new(manifest)),
            });
        }
        let mut job = flow::job(&self.design)?;
        if self.engine == Engine::Golden {
            let int = std::mem::take(&mut job.prepared.int);
            return Ok(Subject { int, clock_mhz: job.clock_mhz, source: Made::Fresh(Box::new(job)) });
        }
        if self.engine == Engine::Csim {
            job.for_hls();
        }
        let int = job.prepared.int.clone();
        Ok(Subject { int, clock_mhz: job.clock_mhz, source: Made::Fresh(Box::new(job)) })
    }

    /// Builds the Verilator model and runs it.
    fn verilator(
        &self,
        subject: &Subject,
        inputs: &[Vec<i64>],
        samples: usize,
        report: &mut Report,
    ) -> Result<Vec<Vec<i64>>, Diags> {
        let trace = self.trace.as_deref().map(TraceFormat::of).transpose()?;
        let start = Instant::now();
        let tool = Verilator::find()?;
        let (spec, expected_interval) = match &subject.source {
            Made::Folder(dir, manifest) => {
                if manifest.sources.is_empty() {
                    return Err(Diag::new(Code::Usage, dir.display().to_string(), "the folder holds no SystemVerilog")
                        .help("generate it with --backend verilog or all")
                        .into());
                }
                let spec = ModelSpec {
                    interface: manifest.interface(),
                    sources: store::Manifest::load_files(dir, &manifest.sources)?,
                    data: store::Manifest::load_files(dir, &manifest.data)?,
                    trace,
                };
                (spec, manifest.interval_cycles)
            }
            Made::Fresh(job) => {
                let design = job.build()?.design;
                let files = netfold_codegen::verilog::generate(&design)?;
                let (sources, data) = store::sources(&files);
                let load = |names: &[String]| {
                    let file = |n: &String| {
                        let bare = n.trim_start_matches("rtl/");
                        netfold_sim::SourceFile::new(bare, files.get(n).unwrap_or_default())
                    };
                    names.iter().map(file).collect::<Result<Vec<_>, Diag>>()
                };
                let spec = ModelSpec {
                    interface: store::interface(&design),
                    sources: load(&sources)?,
                    data: load(&data)?,
                    trace,
                };
                (spec, netfold_ir::hw::timing::bottleneck(&design).0)
            }
        };
        let model = tool.build(&spec)?;
        report.build_seconds = start.elapsed().as_secs_f64();
        let options = RunOptions {
            stalls: self.stalls,
            trace: self.trace.clone(),
            idle_limit: (expected_interval * 8).max(1_000_000),
            ..RunOptions::default()
        };
        let result: RunResult = model.run(&options, inputs, samples)?;
        for v in &result.violations {
            eprintln!("protocol: {v}");
        }
        let clock = subject.clock_mhz;
        report.latency_cycles = result.latency_cycles;
        report.interval_cycles = result.interval_cycles;
        report.cycles = Some(result.cycles);
        report.clock_mhz = Some(clock);
        report.latency_ns = result.latency_cycles.map(|c| c as f64 * 1000.0 / clock);
        report.fps = result.interval_cycles.filter(|c| *c > 0).map(|c| clock * 1e6 / c as f64);
        report.protocol_violations = Some(result.violation_count);
        report.seconds = result.seconds;
        Ok(result.outputs)
    }

    /// Compiles the HLS project and runs it.
    fn csim(
        &self,
        subject: &Subject,
        inputs: &[Vec<i64>],
        samples: usize,
        report: &mut Report,
    ) -> Result<Vec<Vec<i64>>, Diags> {
        let start = Instant::now();
        let tool = Csim::find(self.hls_include.as_deref())?;
        let spec = match &subject.source {
            Made::Folder(dir, _) => hls::spec_of_folder(dir)?,
            Made::Fresh(job) => {
                let design = job.build()?.design;
                let vectors = Vectors::example(&design, 1)?;
                hls::spec_of_files(&hls::generate(job, &design, vectors)?)?
            }
        };
        let model = tool.build(&spec)?;
        report.build_seconds = start.elapsed().as_secs_f64();
        let result = model.run(&RunOptions::default(), inputs, samples)?;
        for v in &result.violations {
            eprintln!("protocol: {v}");
        }
        report.protocol_violations = Some(result.violation_count);
        report.seconds = result.seconds;
        Ok(result.outputs)
    }

    /// Writes the outputs asked for.
    fn save(&self, int: &IntNetwork, real: &[Vec<f64>], samples: usize) -> Result<(), Diags> {
        for text in &self.output {
            let (name, path) = flow::named(text);
            let port = find_output(int, &name, &path)?;
            let mut shape = vec![samples];
            shape.extend(&int.outputs[port].shape);
            let array = Array { shape, values: Values::Float(real[port].clone()) };
            array.save(&path, Dtype::F32)?;
        }
        Ok(())
    }

    /// Compares with the expected outputs.
    fn compare(&self, int: &IntNetwork, real: &[Vec<f64>], samples: usize) -> Result<Option<Comparison>, Diags> {
        if self.expect.is_empty() {
            return Ok(None);
        }
        let mut c =
            Comparison { values: 0, mismatches: 0, max_difference_steps: 0.0, max_difference: 0.0, same_argmax: 0 };
        for (k, text) in self.expect.iter().enumerate() {
            let (name, path) = flow::named(text);
            let port = find_output(int, &name, &path)?;
            let out = &int.outputs[port];
            let expected = Array::load(&path)?;
            let per = real[port].len() / samples.max(1);
            if expected.len() < real[port].len() || per == 0 || !expected.len().is_multiple_of(per) {
                return Err(Diag::new(
                    Code::Usage,
                    path.display().to_string(),
                    format!("an array {:?} does not hold {samples} samples of {:?}", expected.shape, out.shape),
                )
                .into());
            }
            let expected = expected.to_f64();
            let steps: Vec<f64> = out.real.scale.iter().map(|s| rat::to_f64(s).abs()).collect();
            for (i, (y, e)) in real[port].iter().zip(&expected).enumerate() {
                let element = out.order.get(i % per).map_or(i % per, |o| *o as usize);
                let step = steps[element % steps.len()];
                let difference = (y - e).abs();
                let limit = self.tolerance.unwrap_or(step / 2.0 + 1e-5 * e.abs());
                c.mismatches += usize::from(difference.is_nan() || difference > limit);
                c.max_difference = c.max_difference.max(difference);
                c.max_difference_steps = c.max_difference_steps.max(difference / step);
            }
            c.values += real[port].len();
            if k == 0 {
                let largest = |v: &[f64]| (0..v.len()).rev().max_by(|a, b| v[*a].total_cmp(&v[*b]));
                let same = |s: &usize| largest(&real[port][s * per..][..per]) == largest(&expected[s * per..][..per]);
                c.same_argmax = (0..samples).filter(same).count();
            }
        }
        Ok(Some(c))
    }

    /// Prints the report.
    fn print(&self, r: &Report) -> Result<(), Diags> {
        if self.json {
            print!("{}", store::to_json(r, true)?);
            return Ok(());
        }
        println!("engine            {}", r.engine);
        println!("samples           {}", r.samples);
        if let Some(c) = &r.comparison {
            println!(
                "mismatches        {} of {} values (largest difference {:.6}, {:.2} steps)",
                c.mismatches, c.values, c.max_difference, c.max_difference_steps
            );
            println!("same argmax       {} of {} samples", c.same_argmax, r.samples);
        }
        if let Some(m) = r.golden_mismatches {
            println!(
                "against golden    {}",
                if m == 0 { "equal in every bit".into() } else { format!("{m} values DIFFER") }
            );
        }
        if let (Some(c), Some(ns)) = (r.latency_cycles, r.latency_ns) {
            println!("latency           {c} cycles ({ns:.1} ns at {} MHz)", r.clock_mhz.unwrap_or(0.0));
        }
        if let (Some(c), Some(fps)) = (r.interval_cycles, r.fps) {
            println!("interval          {c} cycles ({fps:.0} frames/s)");
        }
        if let Some(v) = r.protocol_violations.filter(|v| *v > 0) {
            println!("protocol          {v} violations");
        }
        if r.build_seconds > 0.0 {
            println!("build             {:.2} s", r.build_seconds);
        }
        println!("run               {:.3} s ({:.0} samples/s)", r.seconds, r.samples as f64 / r.seconds.max(1e-9));
        Ok(())
    }
}

/// Index of the output called `name`; the only one for an empty name.
fn find_output(int: &IntNetwork, name: &str, path: &Path) -> Result<usize, Diag> {
    let found = if name.is_empty() && int.outputs.len() == 1 {
        Some(0)
    } else {
        int.outputs.iter().position(|p| p.name == name)
    };
    found.ok_or_else(|| {
        let names: Vec<String> = int.outputs.iter().map(|p| format!("{:?}", p.name)).collect();
        Diag::new(Code::Usage, path.display().to_string(), format!("no output is called {name:?}"))
            .help(format!("give NAME=FILE.npy; outputs: {}", names.join(", ")))
    })
}
