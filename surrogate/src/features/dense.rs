//! Features of networks of dense layers as hls4ml builds them with Vivado HLS and Vitis HLS.
//!
//! A layer of the *resource* strategy with reuse factor `r > 1` has `b = n_in * n_out / r` multipliers that share a
//! weight memory of `r` words of `b` weights, an input multiplexer, and, when `r > n_in`, an accumulator multiplexer
//! over `r / n_in` outputs. A layer of the *latency* strategy, or with `r = 1`, is unrolled into constant multiplications.

use super::Schema;
use super::reuse::closest_valid;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// How hls4ml schedules a dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Multipliers shared `reuse_factor` times, weights in a memory.
    Resource,
    /// Everything unrolled; the reuse factor only limits the number of multipliers.
    Latency,
}

/// One dense layer as the user asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DenseLayer {
    /// Number of inputs, at least 1.
    pub n_in: u32,
    /// Number of outputs, at least 1.
    pub n_out: u32,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// Bits of an input and of an output.
    pub io_bits: u32,
    /// Reuse factor as asked; the resource strategy rounds it to the nearest valid one.
    pub reuse_factor: u32,
    /// Scheduling strategy.
    pub strategy: Strategy,
    /// Number of weights that are not zero, when the weights are known.
    pub nonzero: Option<u64>,
    /// Number of signed digits of the weights in canonical form, when the weights are known.
    pub csd_digits: Option<u64>,
}

impl DenseLayer {
    /// The reuse factor that hls4ml uses: the nearest valid one for the resource strategy.
    pub fn effective_reuse(&self) -> u32 {
        match self.strategy {
            Strategy::Resource => closest_valid(self.n_in, self.n_out, self.reuse_factor),
            Strategy::Latency => self.reuse_factor.max(1),
        }
    }
}

/// Layers that have columns of their own; later ones count in the sums and maxima only.
const SLOTS: usize = 3;

/// Columns of every layer that the resource strategy folds.
const LAYER: [&str; 35] = [
    "n_in",
    "n_out",
    "reuse",
    "log_reuse",
    "block",
    "weight_range_bits",
    "word_bits",
    "outputs_per_mult",
    "weight_limit",
    "zero_share",
    "memory_bits",
    "block_rom",
    "block_rom_bits",
    "bram18",
    "deep_rom",
    "raw_word_bits",
    "log_outputs",
    "acc_mux",
    "block_outputs",
    "in_mux",
    "index_mux",
    "lut_rom",
    "lut_mult_bits",
    "dsp",
    "in_fill",
    "out_fill",
    "index_fill",
    "depth_fill",
    "in_power",
    "index_power",
    "serial",
    "address_bits",
    "serial_outputs",
    "index_mux_total",
    "decode_bits",
];

/// Columns of unrolled layers, summed.
const UNROLLED: [&str; 10] = [
    "count",
    "inputs",
    "outputs",
    "nonzero",
    "digits",
    "hard_mults",
    "mults_in_logic",
    "mult_limit",
    "tree_adders",
    "digits_in_logic",
];

/// Sums that only exist for the whole network.
const WHOLE: [&str; 24] = [
    "layers",
    "weight_bits",
    "io_bits",
    "width_in",
    "width_out",
    "width_hidden",
    "width_sum",
    "cycles_prior",
    "interval_prior",
    "dsp_from_6_bits",
    "dsp_from_8_bits",
    "bram36_prior",
    "least_outputs_per_mult",
    "acc_mux_8",
    "acc_mux_16",
    "acc_mux_32",
    "acc_mux_64",
    "acc_mux_128",
    "acc_mux_256",
    "select_2",
    "from_8_bits",
    "from_10_bits",
    "from_14_bits",
    "from_16_bits",
];

/// The schema of [`vector`].
pub fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut s = Schema::default();
        for name in WHOLE {
            match name {
                "layers" => s.input(name, "number of layers"),
                "weight_bits" => s.input(name, "weight bits"),
                "io_bits" => s.input(name, "input and output bits"),
                "width_in" => s.input(name, "network inputs"),
                "width_out" => s.input(name, "network outputs"),
                _ => s.derived(name),
            }
        }
        for name in UNROLLED {
            match name {
                "count" => s.input("unrolled.count", "number of unrolled layers"),
                _ => s.derived(format!("unrolled.{name}")),
            }
        }
        for slot in 0..SLOTS {
            for name in LAYER {
                s.derived(format!("layer{slot}.{name}"));
            }
        }
        for name in LAYER {
            s.derived(format!("sum.{name}"));
            match name {
                "n_in" => s.input("max.n_in", "inputs of the widest layer"),
                "n_out" => s.input("max.n_out", "outputs of the widest layer"),
                "reuse" => s.input("max.reuse", "largest reuse factor"),
                "block" => s.input("max.block", "multipliers of a layer"),
                _ => s.derived(format!("max.{name}")),
            }
        }
        s
    })
}

/// Features of a network, in the order of [`schema`].
///
/// Never fails: layers without inputs or outputs count as having one.
pub fn vector(layers: &[DenseLayer]) -> Vec<f32> {
    let mut whole = [0f64; WHOLE.len()];
    let mut unrolled = [0f64; UNROLLED.len()];
    let mut slots = [[-1f64; LAYER.len()]; SLOTS];
    let mut sum = [0f64; LAYER.len()];
    let mut max = [0f64; LAYER.len()];
    let mut least_index = f64::INFINITY;
    for (i, layer) in layers.iter().enumerate() {
        let n_in = f64::from(layer.n_in.max(1));
        let n_out = f64::from(layer.n_out.max(1));
        let reuse = layer.effective_reuse();
        whole[1] = whole[1].max(f64::from(layer.weight_bits));
        whole[2] = whole[2].max(f64::from(layer.io_bits));
        whole[6] += n_out;
        if layer.strategy == Strategy::Latency || reuse == 1 {
            let u = unrolled_layer(layer, n_in, n_out);
            for (a, v) in unrolled.iter_mut().zip(u) {
                *a += v;
            }
            whole[7] += u[LATENCY_CYCLES];
            whole[8] = whole[8].max(u[LATENCY_CYCLES] + 1.0);
            whole[9] += if layer.weight_bits >= 6 { u[HARD] } else { 0.0 };
            whole[10] += if layer.weight_bits >= 8 { u[HARD] } else { 0.0 };
            continue;
        }
        let f = folded_layer(layer, n_in, n_out, f64::from(reuse));
        whole[7] += f64::from(reuse) + 3.0;
        whole[8] = whole[8].max(f64::from(reuse));
        whole[9] += if layer.weight_bits >= 6 { f[BLOCK] } else { 0.0 };
        whole[10] += f[DSP];
        whole[11] += f[BRAM18] / 2.0 + 0.5;
        least_index = least_index.min(f[INDEX]);
        if f[INDEX] <= 2.0 {
            whole[19] += f[BLOCK];
        } else {
            let k = (f[LOG_OUTPUTS] as usize).clamp(3, 8);
            whole[13 + k - 3] += f[BLOCK] * f64::from(layer.io_bits) / 16.0;
        }
        for j in 0..LAYER.len() {
            sum[j] += f[j];
            max[j] = max[j].max(f[j]);
        }
        if i < SLOTS {
            slots[i] = f;
        }
    }
    let whole_bits = whole[1];
    if let (Some(first), Some(last)) = (layers.first(), layers.last()) {
        whole[3] = f64::from(first.n_in);
        whole[4] = f64::from(last.n_out);
        whole[5] = whole[6] - whole[4];
        whole[6] += whole[3];
    }
    for (slot, bits) in whole[20..].iter_mut().zip([8.0, 10.0, 14.0, 16.0]) {
        *slot = f64::from(whole_bits >= bits);
    }
    whole[0] = layers.len() as f64;
    // The call of the network itself saves the one cycle that every folded layer's return spends.
    whole[7] = (whole[7] - if least_index.is_finite() { 1.0 } else { 0.0 }).max(0.0);
    whole[12] = if least_index.is_finite() { least_index } else { 0.0 };
    let mut out = Vec::with_capacity(schema().len());
    out.extend(whole.iter().chain(&unrolled).chain(slots.iter().flatten()).map(|&v| v as f32));
    for (s, m) in sum.iter().zip(&max) {
        out.push(*s as f32);
        out.push(*m as f32);
    }
    out
}

const BLOCK: usize = 4;
const INDEX: usize = 7;
const BRAM18: usize = 13;
const LOG_OUTPUTS: usize = 16;
const DSP: usize = 23;

fn log2_ceil(v: f64) -> f64 {
    if v <= 1.0 { 0.0 } else { v.log2().ceil() }
}

/// Largest power of two that divides `v`.
fn power(v: f64) -> f64 {
    let v = v as u64;
    (v & v.wrapping_neg()) as f64
}

/// Largest weight of a freshly initialised or mildly trained layer: the bound of Glorot's uniform distribution (Glorot and
/// Bengio, 2010), which is what the untrained networks of wa-hls4ml draw from.
fn weight_bound(n_in: f64, n_out: f64) -> f64 {
    (6.0 / (n_in + n_out)).sqrt()
}

fn folded_layer(layer: &DenseLayer, n_in: f64, n_out: f64, reuse: f64) -> [f64; LAYER.len()] {
    let bits = f64::from(layer.weight_bits);
    let block = (n_in * n_out / reuse).ceil();
    let limit = weight_bound(n_in, n_out) * (bits - 1.0).exp2();
    // Bits that differ between the weights: those above only repeat the sign and cost no memory.
    let range = (log2_ceil(limit.ceil()) + 1.0).min(bits);
    let word = block * range;
    let index = (reuse / n_in).max(1.0);
    // HLS keeps weight memories in block RAM when few outputs share a multiplier; others become logic.
    let block_rom = f64::from(index <= 9.0 && reuse > 256.0 && reuse <= 1024.0);
    let bits_per_bram18 = if block <= 8.0 { 4.0 } else { 2.0 };
    let padded = |v: f64| log2_ceil(v).exp2();
    [
        n_in,
        n_out,
        reuse,
        reuse.log2(),
        block,
        range,
        word,
        index,
        limit,
        (0.5 / limit).min(1.0),
        word * reuse,
        block_rom,
        block_rom * word,
        block_rom * (word / bits_per_bram18).ceil(),
        f64::from(reuse > 1024.0),
        block * bits,
        log2_ceil(n_out),
        block * padded(n_out),
        block * n_out,
        padded(n_in),
        padded(index),
        (1.0 - block_rom) * word * (reuse / 64.0).ceil(),
        if bits < 8.0 { block * bits } else { 0.0 },
        if bits < 8.0 { 0.0 } else { block },
        n_in / padded(n_in),
        n_out / padded(n_out),
        index / padded(index),
        reuse / padded(reuse),
        power(n_in),
        power(index),
        f64::from(block <= 1.0),
        log2_ceil(reuse),
        if block <= 1.0 { n_out } else { 0.0 },
        block * padded(index),
        n_out * log2_ceil(index),
    ]
}

const HARD: usize = 5;
const LATENCY_CYCLES: usize = 10;

/// Columns of [`UNROLLED`], and the cycles of the layer behind them.
fn unrolled_layer(layer: &DenseLayer, n_in: f64, n_out: f64) -> [f64; 11] {
    let bits = f64::from(layer.weight_bits);
    let limit = weight_bound(n_in, n_out) * (bits - 1.0).exp2();
    let nonzero = layer.nonzero.map_or_else(|| n_in * n_out * (1.0 - (0.5 / limit).min(0.6)), |n| n as f64);
    // A random number of b bits has about b / 3 signed digits, here of the bits that the weights use.
    let digits = layer.csd_digits.map_or_else(|| nonzero * ((log2_ceil(limit) + 1.0) / 3.0).max(1.0), |n| n as f64);
    let mean_digits = if nonzero > 0.0 { digits / nonzero } else { 0.0 };
    let hard = (nonzero * hard_share(mean_digits)).round();
    let limit = if layer.strategy == Strategy::Latency && layer.reuse_factor > 1 {
        (n_in * n_out / f64::from(layer.reuse_factor)).ceil()
    } else {
        n_in * n_out
    };
    let (mults, cycles) = if bits < 8.0 {
        (0.0, if layer.strategy == Strategy::Latency && layer.reuse_factor > 1 && bits > 2.0 { 2.0 } else { 0.0 })
    } else if hard > limit {
        (limit, (hard / limit).ceil() + 4.0)
    } else {
        (hard, 1.0)
    };
    let in_logic = nonzero - if bits < 8.0 { 0.0 } else { hard };
    let logic_digits = if bits < 8.0 { digits } else { 2.0 * in_logic };
    let adders = (nonzero - n_out).max(0.0);
    [1.0, n_in, n_out, nonzero, digits, mults, in_logic, limit.min(hard.max(1.0)), adders, logic_digits, cycles]
}

/// Share of the constant multiplications that need more adders than HLS spends before it takes a DSP, by the mean number
/// of signed digits; a curve through the Vivado HLS 2020.1 results of unrolled 32-input layers with 6 to 14 bits.
fn hard_share(mean_digits: f64) -> f64 {
    const CURVE: [(f64, f64); 6] = [(1.6, 0.0), (2.18, 0.24), (2.875, 0.645), (3.54, 0.857), (4.15, 0.946), (5.0, 1.0)];
    if mean_digits <= CURVE[0].0 {
        return 0.0;
    }
    for pair in CURVE.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if mean_digits <= x1 {
            return y0 + (y1 - y0) * (mean_digits - x0) / (x1 - x0);
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(n_in: u32, n_out: u32, weight_bits: u32, reuse_factor: u32) -> DenseLayer {
        let strategy = Strategy::Resource;
        DenseLayer { n_in, n_out, weight_bits, io_bits: 16, reuse_factor, strategy, nonzero: None, csd_digits: None }
    }

    fn get(x: &[f32], name: &str) -> f32 {
        x[schema().index(name).unwrap()]
    }

    #[test]
    fn folded_network_by_hand() {
        // Reuse factors 832, 1248 and 832: 6, 4 and 13 multipliers.
        let x = vector(&[layer(104, 48, 8, 1024), layer(48, 104, 8, 1024), layer(104, 104, 8, 1024)]);
        assert_eq!(x.len(), schema().len());
        assert_eq!(get(&x, "cycles_prior"), 832.0 + 1248.0 + 832.0 + 8.0);
        assert_eq!(get(&x, "dsp_from_8_bits"), 23.0);
        assert_eq!(get(&x, "width_hidden"), 152.0);
        assert_eq!(get(&x, "layer2.block"), 13.0);
        assert_eq!(get(&x, "sum.outputs_per_mult"), 8.0 + 26.0 + 8.0);
        assert_eq!(get(&x, "layer1.block_rom"), 0.0);
        assert_eq!(get(&x, "layer2.block_rom"), 1.0);
    }

    #[test]
    fn absent_layers_and_unrolled_ones() {
        let x = vector(&[layer(32, 32, 2, 512)]);
        assert_eq!(get(&x, "layer1.n_in"), -1.0);
        assert_eq!(get(&x, "cycles_prior"), 514.0);
        assert_eq!(get(&x, "dsp_from_6_bits"), 0.0);
        let mut unrolled = layer(32, 32, 14, 1);
        unrolled.nonzero = Some(1024);
        unrolled.csd_digits = Some(4251);
        let x = vector(&[unrolled]);
        assert_eq!(get(&x, "unrolled.count"), 1.0);
        assert_eq!(get(&x, "layer0.n_in"), -1.0);
        assert_eq!(get(&x, "sum.block"), 0.0);
        assert!((get(&x, "dsp_from_8_bits") - 964.0).abs() < 20.0);
        assert_eq!(vector(&[]).len(), schema().len());
    }

    #[test]
    fn names_are_unique() {
        let mut names = schema().names.clone();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), schema().len());
        assert!(names.len() <= crate::model::tree::MAX_FEATURES);
    }
}
