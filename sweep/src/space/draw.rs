//! Drawing numbers: sizes that people use, bit widths, integer weights as training leaves them. Integer arithmetic only, so
//! that the same seed gives the same numbers everywhere.

use netfold_ir::quant::IntType;
use netfold_passes::fold::divisors;
use netfold_passes::random::Random;

/// The random stream of one row.
pub fn stream(seed: u64, salt: u64, index: u64) -> Random {
    let mixed = Random::new(seed ^ salt).bits();
    Random::new(mixed ^ index.wrapping_mul(0xd134_2543_de82_ef95))
}

/// A number from `lo` to `hi` (at least 1), about uniform in its logarithm.
pub fn log_between(r: &mut Random, lo: usize, hi: usize) -> usize {
    let (a, b) = (lo.max(1).ilog2(), hi.max(1).ilog2());
    let octave = r.between(i64::from(a), i64::from(b)) as u32;
    let v = (1usize << octave) + r.below(1 << octave);
    v.clamp(lo, hi)
}

/// A size from `lo` to `hi`: mostly a round number.
pub fn size(r: &mut Random, lo: usize, hi: usize) -> usize {
    if r.below(5) < 2 {
        return log_between(r, lo, hi);
    }
    let round = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024];
    let fits: Vec<usize> = round.into_iter().filter(|n| (lo..=hi).contains(n)).collect();
    if fits.is_empty() { log_between(r, lo, hi) } else { r.pick(&fits) }
}

/// A divisor of `n`.
pub fn divisor(r: &mut Random, n: usize) -> usize {
    r.pick(&divisors(n))
}

/// A divisor of `n` that is at most `most`.
pub fn divisor_within(r: &mut Random, n: usize, most: usize) -> usize {
    let fits: Vec<usize> = divisors(n).into_iter().filter(|d| *d <= most.max(1)).collect();
    r.pick(&fits)
}

/// An element type as activations have it: 1 to 16 bits, small ones more often.
pub fn element(r: &mut Random) -> IntType {
    let bits = r.pick(&[1, 2, 2, 3, 3, 4, 4, 4, 5, 6, 6, 7, 8, 8, 8, 8, 9, 10, 11, 12, 14, 16, 16]);
    IntType::new(bits > 1 && r.once_in(2), bits)
}

/// An element type as sums of products have it: 3 to 24 bits.
pub fn sum(r: &mut Random) -> IntType {
    IntType::new(!r.once_in(8), r.between(3, 24) as u32)
}

/// How weights are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Uniform,
    Gaussian,
    Laplace,
    Ternary,
    Bipolar,
    PowersOfTwo,
    Clustered(usize),
}

/// A source of integer weights of one layer.
#[derive(Debug, Clone)]
pub struct Weights {
    shape: Shape,
    /// Bits of a weight.
    bits: u32,
    /// Percent of weights that were pruned.
    pruned: usize,
    /// Standard deviation of bell shapes in 1/16 of the largest weight.
    spread: i64,
    values: Vec<i64>,
}

impl Weights {
    /// Draws a distribution; `bits` bounds the weights' width, at least 1.
    pub fn draw(r: &mut Random, bits: u32) -> Weights {
        let shape = match bits {
            1 => Shape::Bipolar,
            2 => r.pick(&[Shape::Ternary, Shape::Ternary, Shape::Uniform]),
            _ => match r.below(12) {
                0..5 => Shape::Gaussian,
                5..7 => Shape::Laplace,
                7..9 => Shape::Uniform,
                9 => Shape::PowersOfTwo,
                10 => Shape::Clustered(r.pick(&[3, 4, 8, 16])),
                _ => r.pick(&[Shape::Ternary, Shape::Bipolar]),
            },
        };
        let pruned = if shape == Shape::Bipolar || !r.once_in(3) { 0 } else { r.between(20, 92) as usize };
        let spread = r.between(3, 7);
        let mut w = Weights { shape, bits, pruned, spread, values: Vec::new() };
        if let Shape::Clustered(n) = shape {
            w.values = (0..n).map(|_| w.bell(r, 1)).collect();
        }
        w
    }

    /// Largest magnitude.
    fn reach(&self) -> i64 {
        ((1i64 << (self.bits - 1)) - 1).max(1)
    }

    /// About Gaussian (`tail` 1) or with heavier tails: sums of uniform numbers.
    fn bell(&self, r: &mut Random, tail: i64) -> i64 {
        let reach = self.reach();
        let unit = 1i64 << 16;
        let sum: i64 = (0..12).map(|_| r.between(-unit, unit)).sum::<i64>() / 2;
        let heavy = if tail > 1 && r.once_in(4) { tail } else { 1 };
        // `sum` has a standard deviation of one `unit`.
        let v = sum * heavy * self.spread * reach;
        let scale = 16 * unit;
        ((2 * v + scale).div_euclid(2 * scale)).clamp(-reach, reach)
    }

    /// The next weight.
    pub fn next(&self, r: &mut Random) -> i64 {
        if self.pruned > 0 && r.below(100) < self.pruned {
            return 0;
        }
        let reach = self.reach();
        match self.shape {
            Shape::Uniform => {
                let asymmetric = self.bits > 1 && r.once_in(2);
                r.between(-reach - i64::from(asymmetric), reach)
            }
            Shape::Gaussian => self.bell(r, 1),
            Shape::Laplace => self.bell(r, 3) * i64::from(!r.once_in(5)),
            Shape::Ternary => r.between(-1, 1),
            Shape::Bipolar => 2 * r.between(0, 1) - 1,
            Shape::PowersOfTwo => {
                let v = 1i64 << r.below(self.bits as usize - 1);
                if r.once_in(2) { -v } else { v }
            }
            Shape::Clustered(_) => r.pick(&self.values),
        }
    }

    /// `n` weights.
    pub fn take(&self, r: &mut Random, n: usize) -> Vec<i64> {
        (0..n).map(|_| self.next(r)).collect()
    }

    /// Root mean square of the weights, about, as a number of at least 1/4.
    pub fn rms(data: &[i64]) -> f64 {
        let sum: f64 = data.iter().map(|w| (*w as f64) * (*w as f64)).sum();
        (sum / data.len().max(1) as f64).sqrt().max(0.25)
    }
}

/// Bits of weights: 1 to 8, sometimes up to 16.
pub fn weight_bits(r: &mut Random) -> u32 {
    r.pick(&[1, 2, 2, 3, 3, 4, 4, 4, 5, 6, 6, 6, 7, 8, 8, 8, 10, 12, 16])
}
