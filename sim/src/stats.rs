//! Latency and interval from the marks of a run.

/// Latency of every frame: cycles from its first input handshake to its last output handshake.
///
/// `None` when an output frame ended before its input began, which no function of the input can do.
pub(crate) fn latencies(first_input: &[u64], last_output: &[u64]) -> Option<Vec<u64>> {
    first_input.iter().zip(last_output).map(|(first, last)| last.checked_sub(*first)).collect()
}

/// Median and largest distance between the ends of consecutive frames, over the later half of the distances.
pub(crate) fn intervals(last_output: &[u64]) -> Option<(u64, u64)> {
    let mut gaps: Vec<u64> = last_output.windows(2).map(|w| w[1].saturating_sub(w[0])).collect();
    let half = gaps.len() / 2;
    let later = &mut gaps[half..];
    later.sort_unstable();
    Some((*later.get(later.len() / 2)?, *later.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_look_at_the_later_half() {
        assert_eq!(intervals(&[5]), None);
        assert_eq!(intervals(&[5, 9]), Some((4, 4)));
        assert_eq!(intervals(&[0, 100, 103, 106, 110]), Some((4, 4)));
        assert_eq!(intervals(&[0, 100, 103, 106, 110, 113]), Some((3, 4)));
    }

    #[test]
    fn an_output_before_its_input_has_no_latency() {
        assert_eq!(latencies(&[1, 5], &[4, 8]), Some(vec![3, 3]));
        assert_eq!(latencies(&[1, 9], &[4, 8]), None);
    }
}
