//! Weighted ridge regression on standardised columns: the smooth prior that lets trees extrapolate.

use serde::{Deserialize, Serialize};

/// A linear function of some columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// Value at zero.
    pub intercept: f64,
    /// `(column, slope)` of the columns that vary.
    pub slopes: Vec<(u16, f64)>,
    /// Predictions below this are raised to it.
    pub floor: f64,
}

impl Linear {
    /// Value at `x`, at least the floor.
    pub fn value(&self, x: &[f32]) -> f64 {
        let sum: f64 = self.slopes.iter().map(|&(c, s)| s * x.get(usize::from(c)).map_or(0.0, |&v| f64::from(v))).sum();
        (self.intercept + sum).max(self.floor)
    }

    /// Least squares with row weights (scaled to a mean of 1) and the penalty `strength * |slopes|^2` on standardised
    /// columns. Columns that do not vary get no slope.
    pub(crate) fn fit(rows: &[Vec<f32>], y: &[f64], weights: &[f64], strength: f64, floor: f64) -> Linear {
        let n = rows.len();
        let columns = rows.first().map_or(0, Vec::len);
        let scale = weights.iter().sum::<f64>() / n.max(1) as f64;
        let w: Vec<f64> = weights.iter().map(|w| w / scale).collect();
        let total: f64 = w.iter().sum();
        let mean = |f: &dyn Fn(usize) -> f64| (0..n).map(|i| w[i] * f(i)).sum::<f64>() / total.max(1e-300);
        let y_mean = mean(&|i| y[i]);
        let mut used: Vec<(u16, f64, f64)> = Vec::new();
        for c in 0..columns {
            let plain = rows.iter().map(|r| f64::from(r[c])).sum::<f64>() / n as f64;
            let var = rows.iter().map(|r| (f64::from(r[c]) - plain).powi(2)).sum::<f64>() / n as f64;
            if var > 1e-12 * plain * plain + 1e-18 {
                used.push((c as u16, mean(&|i| f64::from(rows[i][c])), var.sqrt()));
            }
        }
        let k = used.len();
        let mut a = vec![0f64; k * k];
        let mut b = vec![0f64; k];
        let mut z = vec![0f64; k];
        for i in 0..n {
            for (j, &(c, m, s)) in used.iter().enumerate() {
                z[j] = (f64::from(rows[i][usize::from(c)]) - m) / s;
            }
            for j in 0..k {
                let wz = w[i] * z[j];
                b[j] += wz * (y[i] - y_mean);
                for l in 0..=j {
                    a[j * k + l] += wz * z[l];
                }
            }
        }
        for j in 0..k {
            a[j * k + j] += strength;
        }
        cholesky_solve(&mut a, &mut b, k);
        let slopes: Vec<(u16, f64)> = used.iter().zip(&b).map(|(&(c, _, s), &v)| (c, v / s)).collect();
        let intercept = y_mean - used.iter().zip(&slopes).map(|(&(_, m, _), &(_, v))| m * v).sum::<f64>();
        Linear { intercept, slopes, floor }
    }
}

/// Solves `A x = b` in place for a positive definite `A` (lower triangle, row-major, `k` by `k`).
fn cholesky_solve(a: &mut [f64], b: &mut [f64], k: usize) {
    for j in 0..k {
        for i in j..k {
            let mut v = a[i * k + j];
            for l in 0..j {
                v -= a[i * k + l] * a[j * k + l];
            }
            a[i * k + j] = if i == j { v.max(1e-12).sqrt() } else { v / a[j * k + j] };
        }
    }
    for i in 0..k {
        for l in 0..i {
            b[i] -= a[i * k + l] * b[l];
        }
        b[i] /= a[i * k + i];
    }
    for i in (0..k).rev() {
        for l in i + 1..k {
            b[i] -= a[l * k + i] * b[l];
        }
        b[i] /= a[i * k + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_a_plane() {
        let rows: Vec<Vec<f32>> = (0..50).map(|i| vec![(i % 7) as f32, (i % 5) as f32, 4.0]).collect();
        let y: Vec<f64> = rows.iter().map(|r| 3.0 + 2.0 * f64::from(r[0]) - f64::from(r[1])).collect();
        let m = Linear::fit(&rows, &y, &vec![0.5; 50], 1e-9, -100.0);
        assert_eq!(m.slopes.len(), 2);
        for (x, y) in rows.iter().zip(&y) {
            assert!((m.value(x) - y).abs() < 1e-6);
        }
        let floored = Linear { floor: 5.0, ..m };
        assert_eq!(floored.value(&[0.0, 4.0, 4.0]), 5.0);
    }

    #[test]
    fn weights_count() {
        let rows = vec![vec![0.0], vec![0.0], vec![1.0]];
        let m = Linear::fit(&rows, &[0.0, 10.0, 4.0], &[3.0, 1.0, 1.0], 1e-9, -100.0);
        assert!((m.value(&[0.0]) - 2.5).abs() < 1e-6);
    }
}
