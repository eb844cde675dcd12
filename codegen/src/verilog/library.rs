//! The hand-written primitives of `templates/verilog/lib`.

use std::collections::BTreeSet;

macro_rules! primitives {
    ($($name:literal),* $(,)?) => {
        /// Name and source of every primitive.
        const PRIMITIVES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../templates/verilog/lib/", $name, ".sv")))),*];
    };
}

primitives!(
    "netfold_address",
    "netfold_argmax",
    "netfold_broadcast",
    "netfold_carry_tree",
    "netfold_cast",
    "netfold_combine",
    "netfold_concat",
    "netfold_counter",
    "netfold_delay",
    "netfold_dot",
    "netfold_dot_packed",
    "netfold_dwc",
    "netfold_fifo",
    "netfold_global_reduce",
    "netfold_grid",
    "netfold_interval",
    "netfold_line",
    "netfold_mul_add",
    "netfold_multiply",
    "netfold_mvu",
    "netfold_mvu_early",
    "netfold_mvu_packed",
    "netfold_pad",
    "netfold_ram",
    "netfold_range",
    "netfold_reduce_tree",
    "netfold_reorder",
    "netfold_rom",
    "netfold_round_clip",
    "netfold_select",
    "netfold_sequence_rom",
    "netfold_sink",
    "netfold_stage",
    "netfold_swu",
    "netfold_table_index",
    "netfold_threshold_step",
    "netfold_thresholds",
    "netfold_upsample",
    "netfold_vector_reduce",
    "netfold_vvu",
    "netfold_weight_rom",
    "netfold_window_reduce",
);

/// The primitives that the sources instantiate, directly or through others, by name.
pub(super) fn needed(mut open: Vec<&str>) -> Vec<(&'static str, &'static str)> {
    let mut found = BTreeSet::new();
    while let Some(source) = open.pop() {
        for (name, text) in PRIMITIVES {
            if source.contains(&format!("{name} #(")) && found.insert((*name, *text)) {
                open.push(text);
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_and_every_primitive_is_named_as_its_file() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/verilog/lib");
        let count = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(count, PRIMITIVES.len());
        for (name, text) in PRIMITIVES {
            assert!(text.contains(&format!("\nmodule {name} #(")), "{name}");
        }
    }

    #[test]
    fn closure_follows_instances() {
        let names: Vec<_> = needed(vec!["  netfold_stage #("]).iter().map(|p| p.0).collect();
        assert_eq!(names, ["netfold_delay", "netfold_stage"]);
    }
}
