//! Scores of predictions against the truth. SMAPE and R2 are those of wa-hls4ml (Hawks et al., 2025).

use serde::{Deserialize, Serialize};

/// All scores of one target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Coefficient of determination; 1 is perfect, 0 is no better than the mean. For a constant truth: 1 when every
    /// prediction is exact, otherwise 0.
    pub r2: f64,
    /// Symmetric mean absolute percentage error, 0 to 200.
    pub smape: f64,
    /// Root mean squared error, in the target's unit.
    pub rmse: f64,
    /// Median of the relative error `|y - p| / max(|y|, 1)`.
    pub median: f64,
    /// 75th percentile of the relative error.
    pub p75: f64,
    /// 95th percentile of the relative error.
    pub p95: f64,
    /// Spearman's rank correlation.
    #[serde(default)]
    pub spearman: f64,
    /// Share of rows whose truth lies in the predicted interval; absent when no intervals were given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coverage: Option<f64>,
}

/// Scores `predicted` against `truth`; `None` for empty or unequal slices.
///
/// `intervals` are the `(low, high)` bounds of each row, both ends included.
pub fn scores(truth: &[f64], predicted: &[f64], intervals: Option<&[(f64, f64)]>) -> Option<Scores> {
    if truth.is_empty() || truth.len() != predicted.len() || intervals.is_some_and(|i| i.len() != truth.len()) {
        return None;
    }
    let mut relative: Vec<f64> = truth.iter().zip(predicted).map(|(y, p)| (y - p).abs() / y.abs().max(1.0)).collect();
    relative.sort_by(f64::total_cmp);
    Some(Scores {
        r2: r2(truth, predicted),
        smape: smape(truth, predicted),
        rmse: rmse(truth, predicted),
        median: percentile(&relative, 0.5),
        p75: percentile(&relative, 0.75),
        p95: percentile(&relative, 0.95),
        spearman: spearman(truth, predicted),
        coverage: intervals.map(|i| coverage(truth, i)),
    })
}

/// Coefficient of determination, `1 - sum (y - p)^2 / sum (y - mean y)^2`.
pub fn r2(truth: &[f64], predicted: &[f64]) -> f64 {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let total: f64 = truth.iter().map(|y| (y - mean).powi(2)).sum();
    let rest: f64 = truth.iter().zip(predicted).map(|(y, p)| (y - p).powi(2)).sum();
    if total > 0.0 {
        1.0 - rest / total
    } else if rest == 0.0 {
        1.0
    } else {
        0.0
    }
}

/// `200 / n * sum |y - p| / (|y| + |p| + 1)`.
pub fn smape(truth: &[f64], predicted: &[f64]) -> f64 {
    let sum: f64 = truth.iter().zip(predicted).map(|(y, p)| (y - p).abs() / (y.abs() + p.abs() + 1.0)).sum();
    200.0 * sum / truth.len() as f64
}

/// Root of the mean squared error.
pub fn rmse(truth: &[f64], predicted: &[f64]) -> f64 {
    let sum: f64 = truth.iter().zip(predicted).map(|(y, p)| (y - p).powi(2)).sum();
    (sum / truth.len() as f64).sqrt()
}

/// Share of values inside their closed interval.
pub fn coverage(truth: &[f64], intervals: &[(f64, f64)]) -> f64 {
    let hit = truth.iter().zip(intervals).filter(|(y, (low, high))| low <= *y && *y <= high).count();
    hit as f64 / truth.len() as f64
}

/// The `q` quantile (0 to 1) of sorted values, linear between neighbours; 0 for an empty slice.
pub fn percentile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(last);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

/// Spearman's rank correlation; ties share their mean rank. 0 when either side is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (ra, rb) = (ranks(a), ranks(b));
    let n = ra.len() as f64;
    let (ma, mb) = (ra.iter().sum::<f64>() / n, rb.iter().sum::<f64>() / n);
    let cov: f64 = ra.iter().zip(&rb).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let va: f64 = ra.iter().map(|x| (x - ma).powi(2)).sum();
    let vb: f64 = rb.iter().map(|y| (y - mb).powi(2)).sum();
    if va > 0.0 && vb > 0.0 { cov / (va * vb).sqrt() } else { 0.0 }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut i = 0;
    while i < order.len() {
        let mut j = i;
        while j + 1 < order.len() && values[order[j + 1]] == values[order[i]] {
            j += 1;
        }
        for &k in &order[i..=j] {
            ranks[k] = (i + j) as f64 / 2.0;
        }
        i = j + 1;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9, "{a} is not {b}");
    }

    #[test]
    fn hand_computed() {
        let (y, p) = ([1.0, 2.0, 3.0, 10.0], [1.0, 1.0, 5.0, 9.0]);
        // Errors 0, 1, 2, 1; mean of y is 4, squared distances 9 + 4 + 1 + 36 = 50.
        near(r2(&y, &p), 1.0 - 6.0 / 50.0);
        near(rmse(&y, &p), 1.5f64.sqrt());
        // 0/3 + 1/4 + 2/9 + 1/20 = 0.5222...
        near(smape(&y, &p), 50.0 * (0.25 + 2.0 / 9.0 + 0.05));
        let s = scores(&y, &p, Some(&[(1.0, 1.0), (0.0, 1.5), (3.0, 6.0), (8.0, 9.9)])).unwrap();
        // Relative errors sorted: 0, 0.1, 0.5, 2/3.
        near(s.median, 0.3);
        near(s.p75, 0.5 + 0.25 * (2.0 / 3.0 - 0.5));
        near(s.p95, 0.5 + 0.85 * (2.0 / 3.0 - 0.5));
        near(s.coverage.unwrap(), 0.5);
    }

    #[test]
    fn degenerate_input() {
        assert!(scores(&[], &[], None).is_none());
        assert!(scores(&[1.0], &[], None).is_none());
        near(r2(&[2.0, 2.0], &[2.0, 2.0]), 1.0);
        near(r2(&[2.0, 2.0], &[2.0, 3.0]), 0.0);
        near(smape(&[0.0], &[0.0]), 0.0);
        near(smape(&[0.0], &[1.0]), 100.0);
        near(percentile(&[], 0.5), 0.0);
    }

    #[test]
    fn rank_correlation() {
        near(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        near(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // Ranks of a: 0.5 0.5 2 3; of b: 0 1 2 3; covariance 4.5, variances 4.5 and 5.
        near(spearman(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]), 4.5 / (4.5f64 * 5.0).sqrt());
    }
}
