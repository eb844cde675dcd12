//! The intermediate representations of netfold.
//!
//! * [`net`]: the network as exact real arithmetic, what the ONNX or QONNX file means, channels last, batch removed.
//! * [`int`]: the same network as exact integer arithmetic, with the golden interpreter that defines every backend.
//! * [`hw`]: hardware modules joined by streams, with their folding and their exact cycle behaviour.
//!
//! Nothing here knows a backend, a tool or a part.

pub mod diag;
pub mod graph;
pub mod hw;
pub mod int;
pub mod names;
pub mod net;
pub mod quant;
pub mod rat;
pub mod text;

pub use diag::{Code, Diag, Diags};
pub use rat::Rat;

/// How many of `0..n` hold, which must be the first ones; by bisection.
pub fn partition(n: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut lo, mut hi) = (0, n);
    while lo < hi {
        let mid = lo + (hi - lo) / 2;
        if holds(mid) { lo = mid + 1 } else { hi = mid }
    }
    lo
}
