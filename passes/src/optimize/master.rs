//! The cheapest mixture of known designs within limits: the master program of a column generation (Dantzig and Wolfe, 1960).
//!
//! A mixture takes a share of each of some designs, so that what it costs and uses is the mean of theirs. Its duals are the prices of the
//! limits at which no known design is cheaper than the mixture; the cheapest design by these prices either is a new one or proves the
//! mixture to be the cheapest of all. Prices are only ever a guess for the bound that is made of them, which holds at any prices.

/// The cheapest mixture.
#[derive(Debug, Clone)]
pub(super) struct Mixture {
    /// Cost, with what exceeds the limits at the highest price.
    pub cost: f64,
    /// Price of a unit of every limit, between 0 and the highest one.
    pub prices: Vec<f64>,
    /// Share of every design; they add up to 1.
    pub shares: Vec<f64>,
    /// By how much every limit is exceeded.
    pub over: Vec<f64>,
}

impl Mixture {
    /// Whether some of the first limits, so many of them, is exceeded.
    pub fn exceeds(&self, limits: usize) -> bool {
        self.over[..limits.min(self.over.len())].iter().any(|o| *o > LITTLE.sqrt())
    }
}

/// Reduced costs below which a column enters the basis, and the least pivot.
const LITTLE: f64 = 1e-9;

/// Pivots at most, by limits and designs.
const PIVOTS: usize = 8;

/// The linear program: least cost of a mixture within limits, which a mixture may exceed for a price a unit of each, or all of some of them
/// for 1 a unit of all. Solved by the simplex method on a dense tableau, which goes on from its last basis when designs and limits are
/// added. The scale of costs and uses should be about 1.
pub(super) struct Master {
    /// By row, the first one for the shares, then the limits: what every column is in the basis. Columns are those of `kinds`.
    table: Vec<Vec<f64>>,
    /// Of every row: the right side, and the column in the basis.
    right: Vec<f64>,
    basis: Vec<usize>,
    /// Reduced cost of every column.
    reduced: Vec<f64>,
    costs: Vec<f64>,
    kinds: Vec<Kind>,
    /// Uses of every design, by limit.
    used: Vec<Vec<f64>>,
    /// Of every limit: the price of a unit above it.
    highest: Vec<f64>,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A design.
    Design(usize),
    /// What the row leaves free; of the first row: nothing, which never enters.
    Free(usize),
    /// What exceeds the row.
    Over(usize),
    /// What exceeds all rows that are exceeded together.
    All,
}

impl Master {
    /// Without limits; the first design.
    pub fn new(cost: f64) -> Master {
        Master {
            table: vec![vec![1.0, 1.0, 0.0]],
            right: vec![1.0],
            basis: vec![1],
            reduced: vec![-cost, 0.0, 1.0],
            costs: vec![0.0, cost, 1.0],
            kinds: vec![Kind::Free(0), Kind::Design(0), Kind::All],
            used: vec![Vec::new()],
            highest: Vec::new(),
        }
    }

    /// Another limit, of which every design uses so much. It may be exceeded for `highest` a unit, or with all those that are `together`.
    pub fn limit(&mut self, most: f64, highest: f64, together: bool, used: &[f64]) {
        let r = self.highest.len() + 1;
        self.highest.push(highest);
        self.used.iter_mut().zip(used).for_each(|(all, used)| all.push(*used));
        let original = |kind: &Kind| match kind {
            Kind::Design(d) => used[*d],
            Kind::All if together => -1.0,
            _ => 0.0,
        };
        let mut row: Vec<f64> = self.kinds.iter().map(original).collect();
        let mut right = most;
        for ((basic, other), amount) in self.basis.iter().zip(&self.table).zip(&self.right) {
            let factor = original(&self.kinds[*basic]);
            if factor != 0.0 {
                row.iter_mut().zip(other).for_each(|(v, o)| *v -= factor * o);
                right -= factor * amount;
            }
        }
        let (free, over) = (self.kinds.len(), self.kinds.len() + 1);
        self.kinds.extend([Kind::Free(r), Kind::Over(r)]);
        self.costs.extend([0.0, highest]);
        self.table.iter_mut().for_each(|other| other.extend([0.0; 2]));
        row.extend([1.0, -1.0]);
        self.reduced.extend([0.0, highest]);
        if right < 0.0 {
            row.iter_mut().for_each(|v| *v = -*v);
            right = -right;
            self.reduced.iter_mut().zip(&row).for_each(|(c, v)| *c -= highest * v);
        }
        self.basis.push(if row[free] > 0.0 { free } else { over });
        self.table.push(row);
        self.right.push(right);
    }

    /// Another design, with what it uses of every limit.
    pub fn design(&mut self, cost: f64, used: Vec<f64>) {
        // What the rows' own columns have become says what any column becomes.
        let own: Vec<usize> = (0..self.kinds.len()).filter(|c| matches!(self.kinds[*c], Kind::Free(_))).collect();
        let entry = |row: &Vec<f64>| row[own[0]] + own[1..].iter().zip(&used).map(|(c, u)| row[*c] * u).sum::<f64>();
        let reduced =
            cost + self.reduced[own[0]] + own[1..].iter().zip(&used).map(|(c, u)| self.reduced[*c] * u).sum::<f64>();
        for row in &mut self.table {
            let value = entry(row);
            row.push(value);
        }
        self.kinds.push(Kind::Design(self.used.len()));
        self.costs.push(cost);
        self.reduced.push(reduced);
        self.used.push(used);
    }

    /// Raises the prices of what exceeds the first limits, so many of them, by a factor.
    pub fn raise(&mut self, limits: usize, factor: f64) {
        for (kind, cost) in self.kinds.iter().zip(&mut self.costs) {
            if let Kind::Over(r) = kind
                && *r <= limits
            {
                *cost *= factor;
                self.highest[r - 1] = *cost;
            }
        }
        self.reduced = self.costs.clone();
        for (row, basic) in self.table.iter().zip(&self.basis) {
            let cost = self.costs[*basic];
            self.reduced.iter_mut().zip(row).for_each(|(c, v)| *c -= cost * v);
        }
    }

    /// The cheapest mixture.
    pub fn solve(&mut self) -> Mixture {
        for _ in 0..PIVOTS * (self.kinds.len() + self.table.len()) {
            let mut enter = None;
            let mut least = -LITTLE;
            for (c, reduced) in self.reduced.iter().enumerate().skip(1) {
                if *reduced < least {
                    (least, enter) = (*reduced, Some(c));
                }
            }
            let Some(enter) = enter else { break };
            let mut leave: Option<(f64, usize)> = None;
            for (r, row) in self.table.iter().enumerate().filter(|(_, row)| row[enter] > LITTLE) {
                let ratio = self.right[r] / row[enter];
                if leave.is_none_or(|l| ratio < l.0) {
                    leave = Some((ratio, r));
                }
            }
            let Some((_, leave)) = leave else { break };
            self.pivot(leave, enter);
        }
        let mut shares = vec![0.0; self.used.len()];
        let mut over = vec![0.0; self.highest.len()];
        let mut cost = 0.0;
        for (basic, amount) in self.basis.iter().zip(&self.right) {
            cost += self.costs[*basic] * amount;
            match self.kinds[*basic] {
                Kind::Design(d) => shares[d] = amount.max(0.0),
                Kind::Over(r) => over[r - 1] = amount.max(0.0),
                Kind::Free(_) | Kind::All => {}
            }
        }
        let mut prices = vec![0.0; self.highest.len()];
        for (kind, reduced) in self.kinds.iter().zip(&self.reduced) {
            if let Kind::Free(r @ 1..) = kind {
                prices[r - 1] = reduced.clamp(0.0, self.highest[r - 1]);
            }
        }
        Mixture { cost, prices, shares, over }
    }

    fn pivot(&mut self, leave: usize, enter: usize) {
        let mut row = std::mem::take(&mut self.table[leave]);
        let pivot = row[enter];
        row.iter_mut().for_each(|v| *v /= pivot);
        self.right[leave] /= pivot;
        let amount = self.right[leave];
        for (r, other) in self.table.iter_mut().enumerate().filter(|(r, _)| *r != leave) {
            let factor = other[enter];
            if factor != 0.0 {
                other.iter_mut().zip(&row).for_each(|(v, p)| *v -= factor * p);
                self.right[r] = (self.right[r] - factor * amount).max(0.0);
            }
        }
        let factor = self.reduced[enter];
        self.reduced.iter_mut().zip(&row).for_each(|(v, p)| *v -= factor * p);
        self.table[leave] = row;
        self.basis[leave] = enter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// A cost and uses.
    type Design = (f64, Vec<f64>);

    #[test]
    fn mixtures_are_within_the_limits_and_no_design_is_cheaper_at_their_prices() {
        let mut r = Random::new(11);
        let mut exceeding = 0;
        for round in 0..500 {
            let (rows, many) = (1 + round % 7, 2 + round % 23);
            let mut unit = || r.between(0, 1000) as f64 / 700.0;
            let designs: Vec<Design> = (0..many).map(|_| (unit(), (0..rows).map(|_| unit()).collect())).collect();
            // Designs and limits in turn, with what comes of each.
            let mut master = Master::new(designs[0].0);
            let (mut known, mut limits) = (1, 0);
            let mut m = master.solve();
            while known < many || limits < rows {
                if limits < rows && (known == many || unit() < 0.5) {
                    let used: Vec<f64> = designs[..known].iter().map(|d| d.1[limits]).collect();
                    master.limit(0.7, 50.0, false, &used);
                    limits += 1;
                } else {
                    let (cost, used) = &designs[known];
                    master.design(*cost, used[..limits].to_vec());
                    known += 1;
                }
                m = master.solve();
            }
            assert!((m.shares.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            let mean = |of: &dyn Fn(&Design) -> f64| m.shares.iter().zip(&designs).map(|(s, c)| s * of(c)).sum::<f64>();
            let over: Vec<f64> = (0..rows).map(|r| mean(&|c| c.1[r]) - 0.7).collect();
            assert_eq!(m.exceeds(rows), over.iter().any(|o| *o > 1e-4), "{over:?}");
            exceeding += usize::from(m.exceeds(rows));
            let cost = mean(&|c| c.0) + over.iter().map(|o| 50.0 * o.max(0.0)).sum::<f64>();
            assert!((cost - m.cost).abs() < 1e-6);
            // The value of the dual: no more than any design costs with its use priced, less what the limits are worth.
            let dual = |m: &Mixture| {
                let worth: f64 = m.prices.iter().map(|p| p * 0.7).sum();
                let priced = |c: &Design| c.0 + m.prices.iter().zip(&c.1).map(|(p, u)| p * u).sum::<f64>();
                designs.iter().map(priced).fold(f64::INFINITY, f64::min) - worth
            };
            assert!((dual(&m) - m.cost).abs() < 1e-6, "{} {}", dual(&m), m.cost);
            master.raise(rows, 4.0);
            let raised = master.solve();
            assert!((dual(&raised) - raised.cost).abs() < 1e-6, "{} {}", dual(&raised), raised.cost);
            assert!(raised.cost >= m.cost - 1e-6 && (raised.cost > m.cost + 1e-3) == m.exceeds(rows));
        }
        assert!(exceeding > 50 && exceeding < 450, "{exceeding}");
    }

    #[test]
    fn what_is_exceeded_together_costs_its_most() {
        let mut r = Random::new(12);
        for round in 0..200 {
            let (rows, many) = (2 + round % 5, 2 + round % 11);
            let mut unit = || r.between(1, 1000) as f64 / 500.0;
            let designs: Vec<Vec<f64>> = (0..many).map(|_| (0..rows).map(|_| unit()).collect()).collect();
            let mut master = Master::new(0.0);
            (0..rows).for_each(|r| master.limit(0.0, 2.0, true, &[designs[0][r]]));
            designs[1..].iter().for_each(|used| master.design(0.0, used.clone()));
            let m = master.solve();
            let mean = |r: usize| m.shares.iter().zip(&designs).map(|(s, d)| s * d[r]).sum::<f64>();
            let most = (0..rows).map(mean).fold(0.0, f64::max);
            assert!((most - m.cost).abs() < 1e-6, "{most} {}", m.cost);
            assert!((m.prices.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            let least = |d: &Vec<f64>| d.iter().zip(&m.prices).map(|(u, p)| u * p).sum::<f64>();
            let dual = designs.iter().map(least).fold(f64::INFINITY, f64::min);
            assert!((dual - m.cost).abs() < 1e-6, "{dual} {}", m.cost);
        }
    }
}
