//! The embedded boards are complete and consistent; a user's file is checked.

#![allow(clippy::unwrap_used)] // helpers of tests, outside the functions that clippy knows as tests

use netfold_boards::{Board, Family};
use std::collections::BTreeSet;
use std::path::Path;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

fn load_text(text: &str) -> Result<Board, netfold_ir::Diag> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    std::fs::write(&path, text).unwrap();
    Board::load(&path).map_err(|mut d| {
        d.place = d.place.replace(&format!("{}/", folder.path().display()), "");
        d
    })
}

fn pynq() -> String {
    std::fs::read_to_string(Path::new(FOLDER).join("pynq-z2.yaml")).unwrap()
}

#[test]
fn every_file_is_embedded_and_named_after_its_file() {
    let files: BTreeSet<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .map(|p| p.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let boards = Board::all();
    assert_eq!(files, boards.iter().map(|b| b.name.clone()).collect());
    assert_eq!(boards.len(), 14);
    for board in &boards {
        assert_eq!(board, &Board::named(&board.name).unwrap());
        let text = std::fs::read_to_string(Path::new(FOLDER).join(format!("{}.yaml", board.name))).unwrap();
        assert!(text.starts_with("# Figures: "), "{}: the source of the figures is missing", board.name);
    }
}

#[test]
fn boards_agree_with_the_part_table() {
    for board in Board::all() {
        let part = Board::for_part(&board.part).unwrap();
        assert_eq!(part.resources, board.resources, "{}", board.name);
        assert_eq!((part.family, part.vendor), (board.family, board.vendor));
        assert_eq!(Board::resolve(&board.part).unwrap().resources, board.resources);
    }
}

#[test]
fn the_end_of_a_name_is_enough_where_one_board_has_it() {
    assert_eq!(Board::resolve("u250").unwrap().name, "alveo-u250");
    assert!(Board::resolve("250").is_err());
    assert!(Board::resolve("").is_err());
}

#[test]
fn hls4ml_parts_resolve() {
    let vu9p = Board::for_part("xcvu9p-flga2577-2-e").unwrap();
    assert_eq!((vu9p.resources.lut, vu9p.resources.dsp_count(), vu9p.resources.uram_count()), (1_182_240, 6840, 960));
    assert_eq!(vu9p.part, "xcvu9p-flga2577-2-e");
    let ku115 = Board::for_part("xcku115-flvb2104-2-i").unwrap();
    assert_eq!((ku115.resources.dsp_count(), ku115.resources.uram_count()), (5520, 0));
    assert_eq!(Board::for_part("XC7A35TICSG324-1L").unwrap().family, Family::Xc7);
    assert_eq!(Board::for_part("xczu19eg-ffvc1760-2-i").unwrap().resources.lut, 522_720);
    let unknown = Board::for_part("xcvu99p-flga2577-2-e").unwrap_err();
    assert!(unknown.help.contains("\"xcvu9p\""), "{unknown}");
    assert!(Board::for_part("xczu3;exec rm").is_err());
    assert!(Board::for_part("").is_err());
}

#[test]
fn block_ram_is_counted_in_36_kilobits() {
    assert_eq!(Board::named("icebreaker").unwrap().resources.bram36(), 3);
    assert_eq!(Board::named("ulx3s-85f").unwrap().resources.bram36(), 104);
    assert_eq!(Board::named("pynq-z2").unwrap().resources.bram36(), 140);
}

#[test]
fn names_are_helped() {
    let error = Board::resolve("pynq-z3").unwrap_err();
    assert_eq!(
        error.to_string(),
        "error[E05] at board \"pynq-z3\": there is no board of that name\n  help: did you mean \"pynq-z2\"?"
    );
    assert!(Board::named("moon").unwrap_err().help.contains("zcu104"));
    assert!(Family::named("xc8").unwrap_err().help.contains("\"xc7\""));
}

#[test]
fn a_users_file_works_by_path_and_round_trips() {
    let board = load_text(&pynq().replace("name: pynq-z2", "name: mine")).unwrap();
    assert_eq!(board.name, "mine");
    let again = load_text(&serde_yaml::to_string(&board).unwrap()).unwrap();
    assert_eq!(board, again);
}

#[test]
fn mistakes_name_file_line_and_nearest_key() {
    let cases = [
        (
            pynq().replace("  ff:", "  fff:"),
            "error[E05] at mine.yaml, line 13: resources: unknown field `fff`, expected one of `lut`, `lut_inputs`, `ff`, \
             `dsp`, `bram`, `uram`, `spram`, `lutram`\n  help: did you mean \"ff\"?",
        ),
        (
            pynq().replace("family: xc7", "family: xc6"),
            "error[E05] at mine.yaml, line 6: family: unknown variant `xc6`, expected one of `xc7`, `xcup`, `ecp5`, `ice40`, \
             `gowin`\n  help: did you mean \"xc7\"?",
        ),
        (
            pynq().replace("clock_mhz: 100", "clock_mhz: -1"),
            "error[E05] at mine.yaml, line 8, key \"clock_mhz\": -1 MHz is outside 0.001 to 2000",
        ),
        (
            pynq().replace("xc7z020clg400-1", "\"x; exec\""),
            "error[E05] at mine.yaml, line 7, key \"part\": an ordering code is 1 to 64 letters, digits, '.', '_', '-', '+' or '/'",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(load_text(&text).unwrap_err().to_string(), expected);
    }
    let wrong_type = load_text(&pynq().replace("lut: 53200", "lut: many")).unwrap_err();
    assert!(wrong_type.place.ends_with("line 11") && wrong_type.cause.contains("invalid type"), "{wrong_type}");
    let missing = load_text(&pynq().replace("part: xc7z020clg400-1\n", "")).unwrap_err();
    assert!(missing.cause.contains("missing field `part`"), "{missing}");
}

#[test]
fn hostile_files_are_refused() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..20 {
        let refs = vec![format!("*a{}", i - 1); 9].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    assert!(load_text(&laughs).is_err());
    assert!(load_text(&"[".repeat(60_000)).is_err());
    assert!(load_text(&" ".repeat(70_000)).unwrap_err().cause.contains("longer"));
    assert!(load_text("").is_err());
    assert!(Board::load(Path::new("/nonexistent/board.yaml")).is_err());
}
