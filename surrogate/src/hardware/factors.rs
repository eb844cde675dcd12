//! LUTs of a module as a weighted sum of its building blocks: weights that are not negative, drawn to plausible ones.

use super::count::Count;

/// Building blocks, and one for the module itself.
pub const TERMS: usize = 9;

/// LUTs a block, where nothing was learned: an adder bit is a LUT, a compressor bit two of which one is shared.
pub const DEFAULT: [f64; TERMS] = [0.9, 1.3, 1.2, 1.0, 0.5, 0.5, 0.7, 0.7, 0.5];

/// The blocks of a count.
pub fn terms(c: &Count) -> [f64; TERMS] {
    [c.adder, c.compressor, c.select, c.rom, c.mux, c.compare, c.control, c.round, 1.0]
}

/// The weighted sum.
pub fn lut(c: &Count, factors: &[f64; TERMS]) -> f64 {
    terms(c).iter().zip(factors).map(|(t, f)| t * f).sum()
}

/// Pull of each factor toward [`DEFAULT`], in rows whose LUTs consist of that block alone.
const PULL: f64 = 0.3;

/// How many times less than usual for its blocks a row has to take to say nothing about them: synthesis found most of it constant.
const FAR: f64 = 3.0;

/// As [`fit_near`], drawn to [`DEFAULT`], without the rows that take far less or far more than is usual for their blocks: there the blocks are
/// not what was synthesized.
pub fn fit(rows: &[(Count, f64)]) -> [f64; TERMS] {
    let rows: Vec<([f64; TERMS], f64)> = rows.iter().map(|(c, y)| (terms(c), *y)).collect();
    let plain = |x: &[f64; TERMS]| x.iter().zip(&DEFAULT).map(|(t, f)| t * f).sum::<f64>();
    // The usual ratio: half of all LUTs are in rows above it.
    let mut ratios: Vec<(f64, f64)> = rows.iter().map(|(x, y)| (y / plain(x), *y)).collect();
    ratios.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut left = ratios.iter().map(|r| r.1).sum::<f64>() / 2.0;
    let passed = |(_, luts): &&(f64, f64)| {
        left -= luts;
        left <= 0.0
    };
    let usual = ratios.iter().find(passed).map_or(1.0, |r| r.0);
    let near = |(x, y): &&([f64; TERMS], f64)| {
        let expected = usual * plain(x);
        expected <= FAR * y + 16.0 && expected >= y / FAR
    };
    let rows: Vec<([f64; TERMS], f64)> = rows.iter().filter(near).copied().collect();
    fit_near(&rows, DEFAULT, PULL)
}

/// Weighted least squares with relative errors, factors not negative and each drawn to that of `near` by `pull`, by coordinate descent (the
/// problem is convex, so it converges to the only solution).
pub fn fit_near(rows: &[([f64; TERMS], f64)], near: [f64; TERMS], pull: f64) -> [f64; TERMS] {
    let weighted: Vec<([f64; TERMS], f64)> = rows
        .iter()
        .map(|(x, y)| {
            let w = 1.0 / (y + 8.0);
            (x.map(|t| t * w), y * w)
        })
        .collect();
    let mut factors = near;
    for _ in 0..300 {
        for k in 0..TERMS {
            let (mut top, mut bottom) = (pull * near[k], pull);
            for (x, y) in &weighted {
                let others: f64 = x.iter().zip(&factors).map(|(x, f)| x * f).sum::<f64>() - x[k] * factors[k];
                top += x[k] * (y - others);
                bottom += x[k] * x[k];
            }
            factors[k] = (top / bottom).max(0.0);
        }
    }
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_find_their_factors_and_none_keep_the_defaults() {
        assert!(fit(&[]).iter().zip(DEFAULT).all(|(f, d)| (f - d).abs() < 1e-12));
        let row = |a: f64, r: f64| (Count { adder: a, rom: r, ..Count::default() }, 2.0 * a + 0.25 * r);
        let rows: Vec<_> = (0..400).map(|i| row(50.0 + f64::from(i % 20) * 20.0, f64::from(i % 7) * 90.0)).collect();
        let f = fit(&rows);
        assert!((f[0] - 2.0).abs() < 0.05 && (f[3] - 0.25).abs() < 0.05, "{f:?}");
        // One in five constant but for some LUTs: nothing changes.
        let hollow = (0..100).map(|i| (Count { adder: 400.0, ..Count::default() }, f64::from(i % 4)));
        let with: Vec<_> = rows.into_iter().chain(hollow).collect();
        assert!((fit(&with)[0] - f[0]).abs() < 0.05, "{:?}", fit(&with));
    }
}
