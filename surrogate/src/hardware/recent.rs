//! The last few results of a function.

use std::cell::RefCell;
use std::collections::VecDeque;

/// Up to `N` results, the latest first.
#[derive(Debug)]
pub struct Recent<K, V, const N: usize>(RefCell<VecDeque<(K, V)>>);

impl<K, V, const N: usize> Default for Recent<K, V, N> {
    fn default() -> Self {
        Recent(RefCell::default())
    }
}

impl<K, V: Clone, const N: usize> Recent<K, V, N> {
    /// The kept result whose key `is` the one that is wanted, or what `make` gives. `make` may ask for other results meanwhile.
    pub fn get(&self, is: impl Fn(&K) -> bool, make: impl FnOnce() -> (K, V)) -> V {
        let known = self.0.borrow().iter().find(|(k, _)| is(k)).map(|(_, v)| v.clone());
        known.unwrap_or_else(|| {
            let (key, value) = make();
            let mut all = self.0.borrow_mut();
            all.truncate(N.saturating_sub(1));
            all.push_front((key, value.clone()));
            value
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_last_results_are_kept() {
        let made = Cell::new(0);
        let recent = Recent::<u32, u32, 2>::default();
        let square = |n: u32| {
            recent.get(
                |k| *k == n,
                || {
                    made.set(made.get() + 1);
                    (n, n * n)
                },
            )
        };
        assert_eq!([3, 4, 3, 4].map(square), [9, 16, 9, 16]);
        assert_eq!(made.get(), 2);
        // The third result takes the place of the oldest one.
        assert_eq!([5, 4, 3].map(square), [25, 16, 9]);
        assert_eq!(made.get(), 4);
    }
}
