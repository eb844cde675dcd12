//! A configuration as the passes see it: number formats and foldings by layer.

use netfold_frontend::config::{Config, Format, LayerRef, Multipliers, Precision, Source, Var, Weights};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{Memory, Multiplier};
use netfold_ir::int::IntNetwork;
use netfold_ir::net::Network;
use netfold_ir::quant::Quantizer;
use netfold_passes::fold::{Pin, Work, divisors};
use netfold_passes::precision::Formats;
use std::collections::HashMap;

/// Number formats of a configuration.
pub struct ConfigFormats<'a>(pub &'a Config);

impl ConfigFormats<'_> {
    /// The format of a variable where the configuration names the layer or its type.
    fn find(&self, names: &[&str], kind: &str, var: Var) -> Option<Quantizer> {
        let setting = self.0.precision(LayerRef::new(names, kind), var)?;
        match (setting.source, setting.value) {
            (Source::Model, _) | (_, Precision::Auto) => None,
            (_, Precision::Fixed(f)) => Some(f.quantizer()),
        }
    }

    /// The format written under `quantization`.
    fn own(format: Option<Format>) -> Option<Quantizer> {
        match format? {
            Format::Precision(Precision::Fixed(f)) => Some(f.quantizer()),
            Format::Precision(Precision::Auto) => None,
            Format::Bits(_) => None,
        }
    }
}

impl Formats for ConfigFormats<'_> {
    fn result(&self, names: &[&str], kind: &str) -> Option<Quantizer> {
        let own = if kind == "input" { self.0.quantization.inputs } else { None };
        self.find(names, kind, Var::Result).or_else(|| Self::own(own))
    }

    fn weight(&self, names: &[&str], kind: &str) -> Option<Quantizer> {
        self.find(names, kind, Var::Weight).or_else(|| Self::own(self.0.quantization.weights))
    }

    fn bias(&self, names: &[&str], kind: &str) -> Option<Quantizer> {
        self.find(names, kind, Var::Bias).or_else(|| Self::own(self.0.quantization.biases))
    }

    fn table_size(&self, names: &[&str], kind: &str) -> Option<usize> {
        usize::try_from(self.0.table_size(LayerRef::new(names, kind))?.value).ok()
    }

    fn model_default(&self) -> Option<Quantizer> {
        let setting = self.0.precision(LayerRef::new(&[], ""), Var::Result);
        match setting.map(|s| s.value) {
            Some(Precision::Fixed(f)) => Some(f.quantizer()),
            Some(Precision::Auto) | None => Self::own(self.0.quantization.activations),
        }
    }

    fn weight_bits(&self) -> Option<u32> {
        match self.0.quantization.weights? {
            Format::Bits(b) => Some(b),
            Format::Precision(_) => None,
        }
    }

    fn per_channel(&self) -> Option<bool> {
        self.0.quantization.per_channel
    }

    fn activation_bits(&self) -> Option<u32> {
        match self.0.quantization.activations? {
            Format::Bits(b) => Some(b),
            Format::Precision(_) => None,
        }
    }
}

/// What the configuration says of each layer's folding, by node name. `reuse` is false where a target rules.
pub fn pins(config: &Config, net: &Network, reuse: bool) -> HashMap<String, Pin> {
    let mut out = HashMap::new();
    for id in net.graph.ids() {
        let node = net.graph.node(id);
        let names = netfold_passes::quantize::names_of(net, id);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let layer = LayerRef::new(&names, node.op.kind());
        let mut pin = Pin::default();
        if reuse {
            let factor = config.reuse_factor(layer).map(|s| s.value);
            pin.reuse = factor.and_then(|r| usize::try_from(r).ok());
        }
        // hls4ml writes 1 where nothing was asked for.
        let parallel = config.parallelization_factor(layer).map(|s| s.value).filter(|n| *n > 1);
        if matches!(node.op, netfold_ir::net::Op::Conv(_)) {
            pin.pixels = parallel.and_then(|n| usize::try_from(n).ok());
        }
        if let Some(f) = names.iter().find_map(|n| config.folding(n)) {
            let size = |v: Option<u64>| v.and_then(|v| usize::try_from(v).ok());
            pin.pe = size(f.pe);
            pin.simd = size(f.simd);
            pin.early = size(f.early);
            pin.pixels = size(f.pixels).or(pin.pixels);
            pin.multiplier = f.multipliers.and_then(|m| match m {
                Multipliers::Auto => None,
                Multipliers::Dsp => Some(Multiplier::Dsp),
                Multipliers::Lut => Some(Multiplier::Lut),
                Multipliers::Packed => Some(Multiplier::Packed),
                Multipliers::PackedSum => Some(Multiplier::PackedSum),
            });
            pin.memory = f.weights.and_then(|w| match w {
                Weights::Auto => None,
                Weights::Lut => Some(Memory::Lut),
                Weights::Bram => Some(Memory::Block),
                Weights::Uram => Some(Memory::Ultra),
                Weights::Const => Some(Memory::Logic),
            });
        }
        if pin != Pin::default() {
            out.insert(node.name.clone(), pin);
        }
    }
    out
}

/// Refuses pins that no circuit of their layer has.
///
/// # Errors
/// [`Code::Config`] for every `pe` or `simd` that does not divide what it folds, with the values that do, and for packed products of a
/// depthwise layer, whose channels share no inputs.
pub fn check_pins(pins: &HashMap<String, Pin>, int: &IntNetwork) -> Result<(), Diags> {
    let mut diags = Diags::new();
    for id in int.graph.ids() {
        let node = int.graph.node(id);
        let named = [&node.name, &node.layer].into_iter().find_map(|n| Some((n, pins.get(n)?)));
        let (Some((name, pin)), Some(work)) = (named, Work::of(int, id)) else {
            continue;
        };
        if pin.multiplier.is_some_and(|m| work.built(m) != m) {
            let place = format!("configuration, key {:?}", format!("folding.{name}.multipliers"));
            let cause = format!("no two products of the depthwise layer {:?} share an input", node.name);
            diags.push(Diag::new(Code::Config, place, cause).help("one of auto, dsp, lut"));
        }
        if let Some(pixels) = pin.pixels {
            let choices = work.pixel_choices();
            let place = format!("configuration, key {:?} (ParallelizationFactor)", format!("folding.{name}.pixels"));
            if work.vectors == 1 {
                let cause = format!("{:?} has only one output pixel", node.name);
                diags.push(Diag::new(Code::Config, place, cause).help("leave it out"));
            } else if !choices.contains(&pixels) {
                let valid: Vec<String> = choices.iter().map(usize::to_string).collect();
                let cause = format!("{pixels} output pixels at once cannot be computed of {:?}", node.name);
                diags.push(Diag::new(Code::Config, place, cause).help(format!("one of {}", valid.join(", "))));
            } else if pixels > 1 && pin.pe.is_some_and(|pe| pe != work.rows) {
                let cause = format!("several output pixels of {:?} at once need all outputs at once", node.name);
                diags.push(
                    Diag::new(Code::Config, place, cause).help(format!("leave `pe` out, or set it to {}", work.rows)),
                );
            }
        }
        let (outputs, inputs) = if work.depthwise { ("channels", "taps") } else { ("outputs", "inputs") };
        for (key, value, all, what) in [("pe", pin.pe, work.rows, outputs), ("simd", pin.simd, work.cols, inputs)] {
            if let Some(value) = value.filter(|v| *v == 0 || !all.is_multiple_of(*v)) {
                let valid: Vec<String> = divisors(all).iter().map(usize::to_string).collect();
                let place = format!("configuration, key {:?}", format!("folding.{name}.{key}"));
                let cause = format!("{value} does not divide the {all} {what} of {:?}", node.name);
                diags.push(Diag::new(Code::Config, place, cause).help(format!("one of {}", valid.join(", "))));
            }
        }
    }
    diags.into_result(())
}
