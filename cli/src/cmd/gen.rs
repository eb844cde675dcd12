//! `netfold gen`: a hardware project in a folder.

use crate::args::DesignArgs;
use crate::folded::Folded;
use crate::{fit, flow, hls, report, store, unroll};
use clap::{Args, ValueEnum};
use netfold_codegen::hls::Vectors;
use netfold_codegen::{Files, project, write_atomically};
use netfold_frontend::config::{Backend as Asked, Config, Multipliers, Style, Weights};
use netfold_ir::diag::Diags;
use netfold_ir::hw::{Design, Memory, Multiplier};
use netfold_ir::int::golden::Golden;
use netfold_passes::fold::{Folding, Work};
use std::path::PathBuf;

/// What is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// SystemVerilog with build scripts for Vivado, Yosys and FuseSoC
    Verilog,
    /// A Vitis HLS project
    Vitis,
    /// Both
    All,
}

/// Generate a hardware project.
#[derive(Debug, Args)]
pub struct Gen {
    #[command(flatten)]
    design: DesignArgs,
    /// What to generate; the configuration's backend, or verilog, when left out
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Folder to write; the network's name when left out
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace the folder if netfold made it
    #[arg(long)]
    force: bool,
}

/// Frames of the generated testbench.
const TEST_FRAMES: usize = 16;

impl Gen {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let mut job = flow::job(&self.design)?;
        let backend = self.backend.or(job.config.backend.map(|b| match b {
            Asked::Verilog => Backend::Verilog,
            Asked::Vitis => Backend::Vitis,
            Asked::All => Backend::All,
        }));
        let backend = backend.unwrap_or(Backend::Verilog);
        if backend != Backend::Verilog {
            job.for_hls();
        }
        let folded = job.build()?;
        let Folded { design, folding, .. } = &folded;
        fit::check(&job, design)?;
        let (report, timing) = report::report(&job, &folded)?;
        let mut files = Files::new();
        let mut backends = Vec::new();
        let vectors = vectors(&job)?;
        let config_yaml = resolved(&job, design, folding).to_yaml()?;
        let report_json = store::to_json(&report.lasting(), true)?;
        if matches!(backend, Backend::Verilog | Backend::All) {
            files.extend(netfold_codegen::verilog::generate(design)?);
            let interface = store::interface(design);
            for (path, text) in netfold_sim::testbench(&interface, &vectors.inputs, &vectors.outputs, vectors.frames)? {
                files.insert(format!("tb/{}", path.display()), text);
            }
            let project = project::Project {
                network: job.prepared.int.name.clone(),
                source: self.design.model.as_deref().map_or("embedded example".into(), |p| p.display().to_string()),
                target: project::Target {
                    board: job.board.name.clone(),
                    part: job.board.part.clone(),
                    family: job.board.family.as_str().to_string(),
                    clock_mhz: job.clock_mhz,
                },
                config_yaml: config_yaml.clone(),
                report_json: report_json.clone(),
            };
            let around = project::files(design, &files, &project)?;
            files.extend(around);
            backends.push("verilog");
        }
        if matches!(backend, Backend::Vitis | Backend::All) {
            let made = hls::generate(&job, design, vectors)?;
            let folder = if backend == Backend::All { format!("{}/", hls::FOLDER) } else { String::new() };
            for (path, contents) in made.iter() {
                files.insert(format!("{folder}{path}"), contents);
            }
            backends.push("vitis");
        }
        let manifest = store::manifest(design, &files, &timing, job.clock_mhz, &backends);
        files.insert(store::MANIFEST, store::to_json(&manifest, true)?);
        files.insert(store::NETWORK, store::network(&job.prepared.int)?);
        files.insert("report.json", report_json);
        files.insert("config.yaml", config_yaml);
        let dir = self.output.or_else(|| job.config.output_dir.clone().map(PathBuf::from));
        let dir = dir.unwrap_or_else(|| PathBuf::from(&design.name));
        write_atomically(&files, &dir, self.force)?;
        print!("{}", report.table());
        eprintln!("wrote {} files to {}", files.len(), dir.display());
        Ok(())
    }
}

/// The configuration with everything decided: board, clock and the folding of every layer. With it the same design comes out.
fn resolved(job: &flow::Job, design: &Design, folding: &Folding) -> Config {
    let mut config = job.config.clone();
    unroll::decided(design, folding, &mut config, &job.styles);
    config.board = Some(job.board.name.clone());
    config.clock_mhz = Some(job.clock_mhz);
    config.target = netfold_frontend::config::Target {
        fps: Some(job.clock_mhz * 1e6 / folding.interval as f64),
        ..Default::default()
    };
    let graph = &job.prepared.int.graph;
    let mut layers: Vec<_> = folding.layers.iter().map(|(id, f)| (*id, graph.node(*id).layer.clone(), f)).collect();
    layers.sort_by_key(|(id, ..)| id.index());
    config.folding = layers
        .into_iter()
        .map(|(id, layer, f)| {
            let pixels = Work::of(&job.prepared.int, id).map_or(1, |w| w.windows(f.pixels));
            let entry = netfold_frontend::config::Folding {
                pe: Some(f.pe as u64),
                simd: Some(f.simd as u64),
                early: Some(f.early as u64),
                pixels: (pixels > 1).then_some(pixels as u64),
                weights: Some(match f.memory {
                    Memory::Logic => Weights::Const,
                    Memory::Lut => Weights::Lut,
                    Memory::Block => Weights::Bram,
                    Memory::Ultra => Weights::Uram,
                }),
                multipliers: Some(match f.multiplier {
                    Multiplier::Dsp => Multipliers::Dsp,
                    Multiplier::Lut => Multipliers::Lut,
                    Multiplier::Packed => Multipliers::Packed,
                    Multiplier::PackedSum => Multipliers::PackedSum,
                }),
                style: job.config.folding(&layer).and_then(|f| f.style),
                interval: job.config.folding(&layer).and_then(|f| f.interval),
            };
            (layer, entry)
        })
        .collect();
    config.folding.dedup_by(|b, a| a.0 == b.0);
    for (layer, interval) in unroll::programs(job, folding) {
        let entry = netfold_frontend::config::Folding {
            style: Some(Style::Unrolled),
            interval: Some(u64::from(interval)),
            ..Default::default()
        };
        config.folding.push((layer, entry));
    }
    for (name, asked) in job.config.folding.iter().filter(|(_, f)| f.style.is_some()) {
        if config.folding(name).is_none() {
            let entry = netfold_frontend::config::Folding {
                style: asked.style,
                interval: asked.interval,
                ..Default::default()
            };
            config.folding.push((name.clone(), entry));
        }
    }
    config
}

/// A few frames from a fixed sequence over the whole range of every input, and what the golden interpreter makes of them.
fn vectors(job: &flow::Job) -> Result<Vectors, Diags> {
    let int = &job.prepared.int;
    let golden = Golden::new(int)?;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut inputs = Vec::new();
    for port in &int.inputs {
        let node = int.graph.node(port.node);
        let (lo, hi) = node.range.hull();
        let span = hi.abs_diff(lo).saturating_add(1);
        let mut values = Vec::with_capacity(node.elements() * TEST_FRAMES);
        for _ in 0..node.elements() * TEST_FRAMES {
            // Knuth's MMIX linear congruential generator; its upper half is used.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            values.push(lo + ((state >> 32) % span) as i64);
        }
        inputs.push(values);
    }
    let outputs = golden.run(&inputs, TEST_FRAMES)?;
    Ok(Vectors { frames: TEST_FRAMES, inputs, outputs })
}
