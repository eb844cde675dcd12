//! Reuse factors as hls4ml accepts them, and what follows from one.
//!
//! Source: the conditions that hls4ml's dense layers assert (Duarte et al., 2018; `get_valid_reuse_factors` of its FPGA
//! backend): a reuse factor `r` of a layer with `n_in` inputs and `n_out` outputs must divide `n_in * n_out`; up to
//! `n_in` it must leave every output the same number of multipliers, above it must be a multiple of `n_in`.

/// Whether hls4ml builds a dense layer with reuse factor `r` as asked.
pub fn is_valid(n_in: u32, n_out: u32, r: u32) -> bool {
    let (n_in, n_out, r) = (u64::from(n_in), u64::from(n_out), u64::from(r));
    if r == 0 || n_in == 0 || n_out == 0 || !(n_in * n_out).is_multiple_of(r) {
        return false;
    }
    let multipliers = (n_in * n_out).div_ceil(n_in.min(r));
    let even = r >= n_in || multipliers.is_multiple_of(n_out);
    let whole = r < n_in || r.is_multiple_of(n_in);
    even && whole
}

/// The valid reuse factor nearest to `wanted`; of two equally near ones the smaller, as hls4ml does.
///
/// Returns 1 for a layer without inputs or outputs.
pub fn closest_valid(n_in: u32, n_out: u32, wanted: u32) -> u32 {
    let product = u64::from(n_in) * u64::from(n_out);
    let mut best = 1u32;
    let mut consider = |candidate: u64| {
        let Ok(r) = u32::try_from(candidate) else { return };
        if is_valid(n_in, n_out, r) {
            let (d, b) = (r.abs_diff(wanted), best.abs_diff(wanted));
            if d < b || (d == b && r < best) {
                best = r;
            }
        }
    };
    // Divisors come in pairs, so the square root bounds the search.
    let mut d = 1u64;
    while d * d <= product {
        if product.is_multiple_of(d) {
            consider(d);
            consider(product / d);
        }
        d += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_the_nearest() {
        assert_eq!(closest_valid(104, 48, 1024), 832);
        assert_eq!(closest_valid(48, 104, 1024), 1248);
        assert_eq!(closest_valid(104, 104, 1024), 832);
        assert_eq!(closest_valid(24, 8, 4093), 192);
        assert_eq!(closest_valid(32, 32, 1), 1);
        assert_eq!(closest_valid(0, 4, 9), 1);
    }

    #[test]
    fn agrees_with_a_full_search() {
        for (n_in, n_out) in [(6u32, 4u32), (7, 5), (12, 8), (16, 3)] {
            for wanted in 1..=n_in * n_out + 5 {
                let slow = (1..=n_in * n_out)
                    .filter(|&r| is_valid(n_in, n_out, r))
                    .min_by_key(|&r| (r.abs_diff(wanted), r))
                    .unwrap();
                assert_eq!(closest_valid(n_in, n_out, wanted), slow, "{n_in}x{n_out} at {wanted}");
            }
        }
    }
}
