//! Convolutions of several pixels at once: Verilator against the interpreter, golden values and counted cycles.

mod common;

use common::pixels::convolution;
use common::{harness, rng};
use netfold_ir::hw::{Design, Kind};

#[test]
fn several_pixels_at_once() {
    let all: Vec<Design> = (0..400).filter_map(convolution).take(32).collect();
    let has = |f: &dyn Fn(&Kind) -> bool| {
        all.iter().filter(|d| d.modules().into_iter().any(|m| f(&d.module(m).kind))).count()
    };
    let wide_pool = |d: &Design| {
        let windows =
            d.modules().into_iter().filter(|m| matches!(&d.module(*m).kind, Kind::Swu(s) if s.given.is_some()));
        windows.count() == 2
    };
    assert!(all.len() == 32 && has(&|k| matches!(k, Kind::Mvu(m) if m.pixels > 1)) > 15);
    assert!(has(&|k| matches!(k, Kind::Vvu(_))) > 2 && all.iter().any(wide_pool));
    harness::check(&all, &mut rng(11));
}
