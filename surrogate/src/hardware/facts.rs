//! What counts need of a weight matrix, read once a matrix.

use super::dot;
use super::recent::Recent;
use netfold_ir::hw::Matrix;
use netfold_ir::hw::packing::WeightRange;
use netfold_ir::quant::IntType;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// Matrices that a thread remembers.
const KEPT: usize = 8;

/// Start values that are remembered of a matrix.
const KEPT_STARTS: usize = 4;

/// Start values of all rows.
type Starts = Rc<Vec<i64>>;

/// Facts of a matrix.
#[derive(Debug)]
pub struct Facts {
    /// Of its size and all of its weights.
    pub hash: u64,
    /// Whether every weight is -1 or +1.
    pub bipolar: bool,
    /// Bits of a weight in two's complement.
    pub bits: u32,
    /// What packed products need.
    pub range: WeightRange,
    /// By bits of a weight, whether each is one bit for a sign, and the type of the input.
    starts: Recent<(u32, bool, IntType), Starts, KEPT_STARTS>,
}

impl Facts {
    /// Of a matrix; those of the last few are kept. A matrix is known by its address, which cannot be used again while it is
    /// remembered.
    pub fn of(weights: &Arc<Matrix>) -> Rc<Facts> {
        thread_local!(static MEMO: Recent<Weak<Matrix>, Rc<Facts>, KEPT> = Recent::default());
        let at = Arc::as_ptr(weights);
        MEMO.with(|m| m.get(|w| w.as_ptr() == at, || (Arc::downgrade(weights), Rc::new(Facts::read(weights)))))
    }

    fn read(weights: &Matrix) -> Facts {
        let size = (weights.rows as u64) << 32 | weights.cols as u64;
        let mixed = |h: u64, w: &i64| (h ^ *w as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        Facts {
            hash: weights.data.iter().fold(size, mixed),
            bipolar: weights.is_bipolar(),
            bits: weights.weight_bits(),
            range: WeightRange::of(weights),
            starts: Recent::default(),
        }
    }

    /// Start values of the accumulators of all rows of `weights`, the matrix that these facts are of.
    pub fn starts(&self, weights: &Matrix, bits: u32, bipolar: bool, input: IntType) -> Starts {
        let key = (bits, bipolar, input);
        let value = |r: usize| dot::start(weights.row(r), bits, bipolar, input);
        self.starts.get(|k| *k == key, || (key, Rc::new((0..weights.rows).map(value).collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_read_once_while_it_lives() {
        let matrix = |w: i64| Arc::new(Matrix { rows: 1, cols: 2, data: vec![w, -1] });
        let one = matrix(1);
        let facts = Facts::of(&one);
        assert!(Rc::ptr_eq(&facts, &Facts::of(&one)));
        assert_eq!((facts.bipolar, facts.bits, facts.range.positive), (true, 2, 1));
        // Many others, each at an address of its own or one that was free.
        for w in 2..50 {
            assert_eq!(Facts::of(&matrix(w)).range.most, w);
        }
        assert_eq!(Facts::of(&one).hash, facts.hash);
        let input = IntType::new(true, 4);
        assert_eq!(*facts.starts(&one, 2, true, input), vec![dot::start(&[1, -1], 2, true, input)]);
    }
}
