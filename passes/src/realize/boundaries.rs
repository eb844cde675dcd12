//! Where a monotone step function steps.

use netfold_ir::int::step::Compiled;

/// The steps of one channel.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// Interval of the input.
    pub range: (i64, i64),
    /// Value at the smallest input.
    pub first: i64,
    /// Plus one for a rising function, minus one for a falling one.
    pub direction: i64,
    /// `at[k]` is the smallest input at which the value is at least `k + 1` steps beyond `first`.
    pub at: Vec<i64>,
}

/// Most steps that are looked for.
const MOST: i64 = 1 << 17;

impl Steps {
    /// Finds all steps of channel `c` by bisection; `None` when there are too many.
    pub fn new(f: &Compiled, c: usize, range: (i64, i64), direction: i64) -> Option<Steps> {
        let first = f.eval(c, range.0);
        let count = (f.eval(c, range.1) - first) * direction;
        if count >= MOST {
            return None;
        }
        let mut at = Vec::with_capacity(usize::try_from(count).ok()?);
        let mut from = range.0;
        let mut stride = 1i64;
        for k in 1..=count {
            let reached = |q: i64| (f.eval(c, q) - first) * direction >= k;
            // Gallop from the last step, at the pace of the steps before it.
            let (mut lo, mut step) = (from, stride);
            if reached(lo) {
                at.push(lo);
                continue;
            }
            let mut hi = loop {
                let next = lo.saturating_add(step).min(range.1);
                if reached(next) {
                    break next;
                }
                lo = next;
                step = step.saturating_mul(2);
            };
            while hi - lo > 1 {
                let mid = lo + (hi - lo) / 2;
                if reached(mid) { hi = mid } else { lo = mid }
            }
            stride = (hi - from).max(1);
            from = hi;
            at.push(hi);
        }
        Some(Steps { range, first, direction, at })
    }
}
