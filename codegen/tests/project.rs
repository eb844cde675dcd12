//! Files around the sources: hostile names, determinism, and what tools say about them.

mod common;

use common::build::Builder;
use common::{harness, rng};
use netfold_codegen::project::{self, Project, Target};
use netfold_codegen::{Files, verilog};
use netfold_ir::diag::Code;
use netfold_ir::hw::Design;

/// Names that try to leave every language written.
const HOSTILE: [&str; 10] = [
    "a\n`include \"/etc/passwd\"\nmodule x;",
    "*/ endmodule /*",
    "[exec touch /tmp/x]",
    "$(shell touch x) `touch x` ${x}",
    "\"; rm -rf / #",
    "- key: {a: &b *b}\n  <<: !!python/object:x",
    "| a | <script>x</script> [l](javascript:x) ![i](x)",
    "\\\r\n\t\0",
    "\u{202e}\u{1F600}\u{fffd}",
    "{{ top }} {% x %} %s %n",
];

fn design(name: &str, text: &str) -> Design {
    let mut b = Builder::new(name, rng(7));
    let x = b.source(netfold_ir::quant::IntType::new(true, 8), 4, 3);
    let y = b.mvu(x);
    let z = b.act(y);
    b.sink(z);
    let mut design = b.finish();
    for id in design.modules() {
        design.module_mut(id).layer = text.to_owned();
    }
    design.inputs[0].name = text.to_owned();
    design.outputs[0].name = text.to_owned();
    design
}

fn project(text: &str) -> Project {
    Project {
        network: text.to_owned(),
        source: text.to_owned(),
        target: Target {
            board: text.to_owned(),
            part: "xc7z020clg400-1".into(),
            family: "xc7".into(),
            clock_mhz: 100.0,
        },
        config_yaml: "a: 1\n".into(),
        report_json: "{}\n".into(),
    }
}

fn all(text: &str) -> Files {
    let design = design("top", text);
    let mut files = verilog::generate(&design).unwrap_or_else(|d| panic!("{d}"));
    let around = project::files(&design, &files, &project(text)).unwrap_or_else(|d| panic!("{d}"));
    files.extend(around);
    files
}

#[test]
fn hostile_names_change_nothing_but_plain_text() {
    let plain_files = all("plain");
    for hostile in HOSTILE {
        let files = all(hostile);
        let shown = netfold_codegen::text::plain(hostile);
        let cell = if shown.is_empty() { "(no name)".to_owned() } else { shown.clone() };
        for ((path, contents), (expected_path, expected)) in files.iter().zip(plain_files.iter()) {
            assert_eq!(path, expected_path);
            let contents = std::str::from_utf8(contents).unwrap();
            assert!(contents.is_ascii(), "{path}");
            // With the name put back, every file is that of the harmless name: nothing else depends on it.
            let expected = std::str::from_utf8(expected).unwrap();
            let same = |name: &str| {
                expected.replace("plain by netfold", &format!("{name} by netfold")).replace("plain", name) == contents
            };
            assert!(same(&shown) || same(&cell) || expected == contents, "{path} for {hostile:?}:\n{contents}");
        }
    }
}

#[test]
fn the_same_design_gives_the_same_bytes() {
    assert_eq!(all("x"), all("x"));
}

#[test]
fn names_in_the_sources_must_be_identifiers() {
    for name in ["module", "Top", "a b", "netfold_fifo", "", "x__y", "1a"] {
        let mut d = design("top", "x");
        d.name = name.into();
        assert!(verilog::generate(&d).unwrap_err().iter().all(|d| d.code == Code::Internal), "{name}");
    }
    let mut d = design("top", "x");
    d.inputs[0].id = "a;b".into();
    assert!(verilog::generate(&d).is_err());
}

#[test]
fn parts_families_and_clocks_are_checked() {
    let design = design("top", "x");
    let rtl = verilog::generate(&design).unwrap();
    let with = |change: fn(&mut Target)| {
        let mut p = project("x");
        change(&mut p.target);
        project::files(&design, &rtl, &p)
    };
    for bad in [
        with(|t| t.part = "xc7; exec rm".into()),
        with(|t| t.part = "-help".into()),
        with(|t| t.part = String::new()),
        with(|t| t.family = "virtex2".into()),
        with(|t| t.clock_mhz = f64::NAN),
        with(|t| t.clock_mhz = 0.0),
    ] {
        assert_eq!(bad.unwrap_err().code, Code::Config);
    }
    let ice = with(|t| t.family = "ice40".into()).unwrap();
    assert!(ice.get("build_vivado.tcl").is_none() && ice.get("synth.ys").is_some());
}

#[test]
fn readme_states_cycles_and_formats() {
    let files = all("net");
    let readme = std::str::from_utf8(files.get("README.md").unwrap()).unwrap();
    for expected in ["# net", "`s_axis_x0`", "signed 8 bits", "2^0 * q", "cycles from the first input beat"] {
        assert!(readme.contains(expected), "{expected}:\n{readme}");
    }
    assert!(harness::frames(&design("top", "x"), &mut rng(1), 1)[0].len() == 12);
}
