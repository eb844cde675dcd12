//! What counts need of a weight matrix, read once a matrix.

use super::dot;
use netfold_ir::hw::Matrix;
use netfold_ir::hw::packing::WeightRange;
use netfold_ir::quant::IntType;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// Matrices that a thread remembers.
const KEPT: usize = 8;

/// Start values that are remembered of a matrix.
const KEPT_STARTS: usize = 4;

/// Start values of all rows.
type Starts = Rc<Vec<i64>>;

/// Start values by bits of a weight, whether each is one bit for a sign, and the type of the input.
type KnownStarts = VecDeque<((u32, bool, IntType), Starts)>;

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
    starts: RefCell<KnownStarts>,
}

impl Facts {
    /// Of a matrix; those of the last few are kept. A matrix is known by its address, which cannot be used again while it is
    /// remembered.
    pub fn of(weights: &Arc<Matrix>) -> Rc<Facts> {
        type Memo = RefCell<VecDeque<(Weak<Matrix>, Rc<Facts>)>>;
        thread_local!(static MEMO: Memo = RefCell::default());
        let at = Arc::as_ptr(weights);
        let known = MEMO.with_borrow(|m| m.iter().find(|(w, _)| w.as_ptr() == at).map(|(_, facts)| facts.clone()));
        known.unwrap_or_else(|| {
            let facts = Rc::new(Facts::read(weights));
            MEMO.with_borrow_mut(|m| {
                m.truncate(KEPT - 1);
                m.push_front((Arc::downgrade(weights), facts.clone()));
            });
            facts
        })
    }

    fn read(weights: &Matrix) -> Facts {
        let size = (weights.rows as u64) << 32 | weights.cols as u64;
        let mixed = |h: u64, w: &i64| (h ^ *w as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        Facts {
            hash: weights.data.iter().fold(size, mixed),
            bipolar: weights.is_bipolar(),
            bits: weights.weight_bits(),
            range: WeightRange::of(weights),
            starts: RefCell::default(),
        }
    }

    /// Start values of the accumulators of all rows of `weights`, the matrix that these facts are of.
    pub fn starts(&self, weights: &Matrix, bits: u32, bipolar: bool, input: IntType) -> Starts {
        let key = (bits, bipolar, input);
        let known = self.starts.borrow().iter().find(|(k, _)| *k == key).map(|(_, s)| s.clone());
        known.unwrap_or_else(|| {
            let value = |r: usize| dot::start(weights.row(r), bits, bipolar, input);
            let made = Rc::new((0..weights.rows).map(value).collect::<Vec<i64>>());
            let mut starts = self.starts.borrow_mut();
            starts.truncate(KEPT_STARTS - 1);
            starts.push_front((key, made.clone()));
            made
        })
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
